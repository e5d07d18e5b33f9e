"""The best so far over the epochs spent, beside what random search would have found for as many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.study.best_of import expected_best
from search.study.expected import final_values
from search.study.modeller import modeller
from search.study.records import TrialRecord
from search.study.space import StudyConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A trial that came to its end as the best so far."""

    epochs: int
    """Spent by then, of all trials together."""
    number: int
    """Of the trial."""
    value: float
    """Validation accuracy; fraction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The best that random search is expected to have found."""

    epochs: int
    """Spent by then, whole trials alone."""
    value: float
    """Fraction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomSearch:
    """Random search over the same space after the same baseline and recipes, none stopped."""

    points: tuple[Expected, ...]
    """By epochs; ends where the study's own random trials end."""
    num_drawn: int
    """Trials that the study itself drew at random and that count here."""
    num_stopped: int
    """Of them: those that were stopped, and count by their expected end."""
    sentence: str
    """What it is made of, or why it cannot be told."""


def incumbents(trials: Sequence[TrialRecord], order: Sequence[tuple[int, int]]) -> list[Step]:
    """Return each trial that was the best complete one when it came to its end.

    Args:
        trials: of the study, by number.
        order: (trial number, epoch) of each result, as they came in.
    """
    steps: list[Step] = []
    for epochs, (number, epoch) in enumerate(order, 1):
        trial = trials[number]
        is_end = trial.state == "COMPLETE" and epoch == max(trial.epochs)
        if is_end and trial.value is not None and (not steps or trial.value > steps[-1].value):
            steps.append(Step(epochs=epochs, number=number, value=trial.value))
    return steps


def is_drawn_at_random(config: StudyConfig, number: int) -> bool:
    """Return whether a trial is certain to have been drawn without a model.

    The models draw at random until `num_startup` trials have ended, and trial k has k before it: so
    those below it are certain. With many workers a few more are, and are left out.
    """
    if number <= len(config.recipes):
        return False
    if modeller(config, number) in ("random", "qmc"):
        return True
    return number < config.sampler.num_startup


def random_search(config: StudyConfig, trials: Sequence[TrialRecord]) -> RandomSearch:
    """Return what random search is expected to have found, by the study's own random trials.

    The expectation is over all orders in which they could have come. A stopped one counts by its
    expected end: without it, random search would look better than it is. Failed ones are left out.

    Args:
        config: of the study.
        trials: by number.
    """
    most, num_given = config.study.max_epochs, 1 + len(config.recipes)
    ends = final_values(trials)
    drawn = [trials[n] for n in ends if is_drawn_at_random(config, n)]
    known = [ends[t.number] for t in trials[:num_given] if t.number in ends]
    points: list[Expected] = []
    if drawn:
        points += [Expected(epochs=num_given * most, value=max(known))] if known else []
        floor = max(known, default=-math.inf)
        best = expected_best([max(ends[t.number], floor) for t in drawn])
        points += [
            Expected(epochs=(num_given + k) * most, value=value) for k, value in enumerate(best, 1)
        ]
    stopped = sum(t.state != "COMPLETE" for t in drawn)
    return RandomSearch(
        points=tuple(points),
        num_drawn=len(drawn),
        num_stopped=stopped,
        sentence=_describe(config, len(drawn), stopped),
    )


def _describe(config: StudyConfig, num_drawn: int, num_stopped: int) -> str:
    if not num_drawn:
        return "random search cannot be told: no trial that was drawn at random is at its end"
    kind = "points of a Sobol sequence" if config.sampler.name == "qmc" else "drawn at random"
    text = f"expected over all orders of the {num_drawn} trials of this study that were {kind}"
    if num_stopped:
        them = (
            "was stopped and counts by its"
            if num_stopped == 1
            else "were stopped and count by their"
        )
        text += f"; {num_stopped} of them {them} expected end"
    return text
