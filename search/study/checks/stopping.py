"""What early stopping saved, and what it risked."""

from dataclasses import dataclass

from search.study.checks.check import Check, Status
from search.study.checks.wording import called, command, count
from search.study.guard import LEAST_CURVES, LEAST_R, correlation, interval, smoothed
from search.study.records import TrialRecord
from search.study.rules import Rules
from search.study.rungs import is_stopped
from search.study.snapshot import Snapshot

_NAME = "early stopping"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Risk:
    """What the whole curves say of the first rung."""

    num_curves: int
    num_survivors: int
    """Curves of trials that the rung let pass: the better ones, so no sample."""
    r: float
    """Correlation of the values there with the final ones, [-1, 1]."""
    low: float
    """Lower end of its 80% interval."""
    high: float


class _Rung:
    """The first rung at which a study has stopped anybody.

    Args:
        snapshot: of the study.
        epoch: of the rung.
    """

    def __init__(self, snapshot: Snapshot, epoch: int) -> None:
        self.epoch = epoch
        self._snapshot, self._rules = snapshot, Rules(snapshot.config)
        self._is_auto = snapshot.config.pruner.is_auto
        self._most = snapshot.config.study.max_epochs

    @property
    def risk(self) -> _Risk | None:
        """Told by whole curves; where those of exempt trials chose the rung, by these alone."""
        trials, num_exempt = self._snapshot.trials, self._rules.num_exempt
        sample = trials[:num_exempt] if self._is_auto else trials
        whole = [t for t in sample if t.state == "COMPLETE" and len(t.curve) == self._most]
        if len(whole) < LEAST_CURVES:
            return None
        r = correlation([self._value(t) for t in whole], [t.curve[-1] for t in whole])
        low, high = interval(r, len(whole))
        survivors = sum(t.number >= num_exempt for t in whole)
        return _Risk(num_curves=len(whole), num_survivors=survivors, r=r, low=low, high=high)

    @property
    def values(self) -> dict[int, float]:
        """What each trial that reached the rung is judged by there, by number."""
        there = [t for t in self._snapshot.trials if len(t.curve) >= self.epoch]
        return {t.number: self._value(t) for t in there}

    @property
    def factor(self) -> int:
        """One trial in so many goes on."""
        choice = self._rules.choice(self._snapshot.trials)
        given = self._snapshot.config.study.reduction_factor
        return given if choice is None else choice.reduction_factor

    def _value(self, trial: TrialRecord) -> float:
        if self._is_auto:
            return smoothed(trial.curve, self.epoch, max_epochs=self._most)
        return trial.curve[self.epoch - 1]


def check_stopping(snapshot: Snapshot) -> Check:
    """Tell the epochs saved, and how well values at the first rung tell the final ones."""
    stopped = [t for t in snapshot.trials if t.stop_reason.startswith("rung ")]
    if not stopped:
        return Check(name=_NAME, status=Status.PASS, sentence=_describe_none(snapshot))
    told = _describe_saved(snapshot, stopped)
    rung = _Rung(snapshot, min(len(t.epochs) for t in stopped))
    risk = rung.risk
    if risk is None:
        few = f"fewer than {LEAST_CURVES} whole curves cannot tell what that risked"
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"{told}; {few}",
            advice="let a study choose its rungs, by whole curves: pruner: {rungs: auto}",
        )
    place, is_lost = _winner_there(snapshot, rung)
    is_safe = risk.low > LEAST_R and not is_lost
    asked = command(snapshot, "replay", "--rungs auto")
    return Check(
        name=_NAME,
        status=Status.PASS if is_safe else Status.WARNING,
        sentence="; ".join(filter(None, [told, _describe(risk, rung.epoch), place])),
        advice="" if is_safe else f"stop later, or ask what other rungs would have done: {asked}",
    )


def _winner_there(snapshot: Snapshot, rung: _Rung) -> tuple[str, bool]:
    """Return where the winner stood at the rung, and whether that would have stopped it."""
    winner, values = snapshot.winner, rung.values
    if winner is None or winner.number not in values:
        return "", False
    own, there = values[winner.number], list(values.values())
    place = 1 + sum(value > own for value in there)
    text = f"the winner, {called(winner)}, was number {place} of {len(there)} there"
    is_lost = is_stopped(own, there, reduction_factor=rung.factor)
    return text + (", and would be stopped if all had been there before it" * is_lost), is_lost


def _describe_saved(snapshot: Snapshot, stopped: list[TrialRecord]) -> str:
    saved = sum(snapshot.config.study.max_epochs - len(t.epochs) for t in stopped)
    without = saved + sum(len(t.epochs) for t in snapshot.trials)
    return (
        f"{count(len(stopped), 'trial')} of {len(snapshot.trials)} stopped early, which saved "
        f"{saved:,} of {without:,} epochs ({saved / without:.0%})"
    )


def _describe(risk: _Risk, epoch: int) -> str:
    claim = "tell the final ones" if risk.low > LEAST_R else "may not tell the final ones"
    text = (
        f"values at epoch {epoch}, the first rung, {claim}: r {risk.r:.2f}, 80% interval "
        f"[{risk.low:.2f}, {risk.high:.2f}] over {risk.num_curves} whole curves, safe above "
        f"{LEAST_R}"
    )
    if risk.num_survivors:
        text += f"; {risk.num_survivors} of them had passed the rung, so they are no fair sample"
    return text


def _describe_none(snapshot: Snapshot) -> str:
    """Return why nobody was stopped."""
    if snapshot.config.pruner.name == "none":
        return "this study stops no trial early: nothing saved, nothing risked"
    said = Rules(snapshot.config).describe_choice(snapshot.trials)
    told = "no trial was stopped early: nothing saved, nothing risked"
    return f"{told} (rungs: {said})" if said else told
