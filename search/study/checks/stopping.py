"""What early stopping saved, and what it risked."""

from search.study.checks.check import Check, Status
from search.study.checks.wording import command, count
from search.study.counterfactual import Counterfactual, replay_with
from search.study.guard import LEAST_CURVES, LEAST_R, Candidate
from search.study.rules import Rules
from search.study.snapshot import Snapshot

_NAME = "early stopping"


def check_stopping(snapshot: Snapshot) -> Check:
    """Tell the epochs saved, and how well the rung's values tell the final ones."""
    config, trials = snapshot.config, snapshot.trials
    most = config.study.max_epochs
    stopped = [t for t in trials if t.stop_reason.startswith("rung ")]
    if not stopped:
        return Check(name=_NAME, status=Status.PASS, sentence=_describe_none(snapshot))
    saved = sum(most - len(t.epochs) for t in stopped)
    whole = saved + sum(len(t.epochs) for t in trials)
    first = min(len(t.epochs) for t in stopped)
    told = (
        f"{count(len(stopped), 'trial')} of {len(trials)} stopped early saved {saved} of {whole} "
        f"epochs ({saved / whole:.0%})"
    )
    found = replay_with(config, config, trials, snapshot.order)
    candidate = next((c for c in found.guard.candidates if c.epoch == first), None)
    other = command(snapshot, "replay", "--rungs auto")
    if candidate is None:
        few = f"{count(found.guard.num_curves, 'whole curve')} cannot tell what it risked"
        sentence = f"{told}; {few}: at least {LEAST_CURVES} can"
        return Check(
            name=_NAME, status=Status.WARNING, sentence=sentence,
            advice="let more trials run whole: pruner: {rungs: auto}",
        )  # fmt: skip
    risk = _describe_risk(candidate, found)
    if candidate.is_safe:
        return Check(name=_NAME, status=Status.PASS, sentence=f"{told}; {risk}")
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence=f"{told}; {risk}",
        advice=f"{other} says what other rungs would have done",
    )


def _describe_risk(candidate: Candidate, found: Counterfactual) -> str:
    interval = f"[{candidate.low:.2f}, {candidate.high:.2f}]"
    text = (
        f"values at epoch {candidate.epoch} tell final ones at r {candidate.r:.2f} {interval} over "
        f"{found.guard.num_curves} whole curves, above {LEAST_R} is safe"
    )
    if candidate.stops_best:
        text += "; the best of these would have been stopped"
    if found.num_survivors:
        text += f"; {found.num_survivors} of them passed the rungs, so they are no sample"
    return text


def _describe_none(snapshot: Snapshot) -> str:
    """Return why nobody was stopped."""
    config = snapshot.config
    if config.pruner.name == "none":
        return "nothing is stopped early, so nothing is saved and nothing risked"
    told = Rules(config).describe_choice(snapshot.trials)
    return f"no trial was stopped early, so nothing is risked{': ' + told if told else ''}"
