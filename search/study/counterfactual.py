"""What other rungs would have done to the trials that a study has recorded.

The trials are as they were: other stops would have freed workers and taught the sampler otherwise.
What is asked is narrower, and can be answered: at these rungs, in this order, who would have ended
where, and would the trial that won have come to its end?
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.study.guard import RungChoice, choose_rungs, smoothed
from search.study.records import TrialRecord, incumbent
from search.study.rules import Rules
from search.study.rungs import is_stopped, rung_epochs
from search.study.space import StudyConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A trial at a rung."""

    number: int
    epoch: int
    value: float
    """That it is judged by; fraction."""
    place: int
    """Among those that were there by then; from 1, equals share the better place."""
    num_there: int
    is_stopped: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Counterfactual:
    """A study under other rungs."""

    guard: RungChoice
    """What its whole curves say."""
    num_survivors: int
    """Whole curves of trials that the study judged at rungs: the better ones, so no sample."""
    rungs: tuple[int, ...]
    """That are asked of; none where nobody is stopped."""
    reduction_factor: int
    num_trials: int
    judgements: tuple[Judgement, ...]
    """In their order; trials that are never stopped are not judged."""
    best: int | None
    """The trial that won; None if none is complete."""
    epochs_saved: int
    """Recorded after the stops."""
    unknown: dict[int, int]
    """Trials that the study stopped and these rungs would not have by then, with the epoch until
    which they would have gone at least: what became of them there nobody knows."""
    epochs_added: int
    """What that takes at least."""

    @property
    def stopped(self) -> dict[int, int]:
        """Trials that would have been stopped, and after which epoch."""
        return {each.number: each.epoch for each in self.judgements if each.is_stopped}

    @property
    def keeps_best(self) -> bool:
        """Whether the trial that won would have come to its end."""
        return self.best is not None and self.best not in self.stopped


def replay_with(
    config: StudyConfig,
    asked: StudyConfig,
    trials: Sequence[TrialRecord],
    order: Sequence[tuple[int, int]],
) -> Counterfactual:
    """Return what the rungs of another configuration would have done.

    With `auto` the rungs are those that the study's whole curves choose.

    Args:
        config: of the study as it was.
        asked: the same with other rungs.
        trials: of the study, by number.
        order: (number of a trial, epoch) of each result, as they came in.
    """
    most, rules = config.study.max_epochs, Rules(config)
    known = [trial.number for trial in trials if rules.given(trial.number) is not None]
    is_own_auto = config.pruner.is_auto
    sample = trials[: rules.num_exempt] if is_own_auto else trials
    whole = [t for t in sample if t.state == "COMPLETE" and len(t.epochs) == most]
    guard = choose_rungs(
        [trial.curve for trial in whole],
        min_epochs=asked.study.min_epochs,
        reduction_factor=asked.study.reduction_factor,
    )
    is_auto = asked.pruner.is_auto
    first = guard.first_rung if is_auto else asked.study.min_epochs
    factor = guard.reduction_factor if is_auto else asked.study.reduction_factor
    rungs: tuple[int, ...] = ()
    if first is not None and asked.pruner.name == "asha":
        every = rung_epochs(min_epochs=first, max_epochs=most, reduction_factor=factor)
        rungs = tuple(every[:-1])
    # A study of `auto` judged nobody before the trials that chose its rungs were at their end.
    is_again = is_auto and is_own_auto
    exempt = rules.num_exempt if is_again else len(known)
    begin = _ends_of(range(exempt), order) if is_again else 0
    values = {t.number: _at_rungs(t, rungs, most, is_smoothed=is_auto) for t in trials}
    judgements = _judge(values, order, exempt=exempt, begin=begin, factor=factor)
    stopped = {each.number: each.epoch for each in judgements if each.is_stopped}
    unknown = _unknown(trials, rungs, stopped, most)
    best, was_judged = incumbent(trials), bool(rules.rungs) and not is_own_auto
    return Counterfactual(
        guard=guard,
        num_survivors=sum(t.number not in known for t in whole) if was_judged else 0,
        rungs=rungs,
        reduction_factor=factor,
        num_trials=len(trials),
        judgements=tuple(judgements),
        best=None if best is None else best.number,
        epochs_saved=sum(len(trials[n].epochs) - epoch for n, epoch in stopped.items()),
        unknown=unknown,
        epochs_added=sum(until - len(trials[n].epochs) for n, until in unknown.items()),
    )


def _judge(
    values: Mapping[int, Mapping[int, float]],
    order: Sequence[tuple[int, int]],
    *,
    exempt: int,
    begin: int,
    factor: int,
) -> list[Judgement]:
    """Return who is judged at a rung, in the order of the results; who is stopped comes no more.

    Args:
        values: of each trial at each rung that it reached.
        order: (trial, epoch) of each result.
        exempt: first trials, which are judged by nobody; their values count.
        begin: results that come before anybody is judged.
        factor: of the rungs.
    """
    there: dict[int, list[float]] = defaultdict(list)
    stopped: set[int] = set()
    judgements = []
    for place, (number, epoch) in enumerate(order):
        value = values[number].get(epoch)
        if value is None or number in stopped:
            continue
        others = there[epoch]
        others.append(value)
        if number < exempt or place < begin:
            continue
        judgement = Judgement(
            number=number,
            epoch=epoch,
            value=value,
            place=1 + sum(other > value for other in others),
            num_there=len(others),
            is_stopped=is_stopped(value, others, reduction_factor=factor),
        )
        judgements.append(judgement)
        if judgement.is_stopped:
            stopped.add(number)
    return judgements


def _unknown(
    trials: Sequence[TrialRecord], rungs: Sequence[int], stopped: Mapping[int, int], most: int
) -> dict[int, int]:
    """Return the trials that would have gone on where the study stopped them, and until when."""
    ended = {t.number: len(t.epochs) for t in trials if t.stop_reason.startswith("rung ")}
    return {
        number: next((rung for rung in rungs if rung > epoch), most)
        for number, epoch in ended.items()
        if number not in stopped
    }


def _ends_of(numbers: Sequence[int], order: Sequence[tuple[int, int]]) -> int:
    """Return how many results came until the last one of these trials, that one included."""
    return max(
        (place for place, (number, _) in enumerate(order, 1) if number in numbers), default=0
    )


def _at_rungs(
    trial: TrialRecord, rungs: Sequence[int], most: int, *, is_smoothed: bool
) -> dict[int, float]:
    """Return what a trial is judged by at each rung that it reached."""
    values = trial.curve
    reached = [rung for rung in rungs if rung <= len(values)]
    if is_smoothed:
        return {rung: smoothed(values, rung, max_epochs=most) for rung in reached}
    return {rung: values[rung - 1] for rung in reached}
