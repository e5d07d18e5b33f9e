"""What a trial that was stopped would have come to, told by the whole curves of other trials.

A model that learns from complete trials alone never hears what was bad about those that were
stopped, and proposes their like again; one that takes their last values for final ones believes
that all of them were bad. Whole curves say how much of a difference at that epoch is left at the
end: all of it, none, or its contrary.
"""

import math
from collections.abc import Sequence

from search.study.guard import LEAST_CURVES, smoothed
from search.study.records import TrialRecord


def expected_final(values: Sequence[float], curves: Sequence[Sequence[float]]) -> float | None:
    """Return what the last value would have been; None without values, or four whole curves.

    It is read off the line of least squares through the whole curves, from their means before that
    epoch to their last values, and lies within these: a line does not tell what nobody has seen.

    Args:
        values: of the trial, by epoch, the first epoch first, without a gap.
        curves: of other trials, all equally long; at least as long as `values`.
    """
    if not values or len(curves) < LEAST_CURVES:
        return None
    epoch, max_epochs = len(values), len(curves[0])
    there = [smoothed(curve, epoch, max_epochs=max_epochs) for curve in curves]
    finals = [curve[-1] for curve in curves]
    middle, final = math.fsum(there) / len(there), math.fsum(finals) / len(finals)
    spread = math.fsum((x - middle) ** 2 for x in there)
    both = math.fsum((x - middle) * (y - final) for x, y in zip(there, finals, strict=True))
    away = smoothed(values, epoch, max_epochs=max_epochs) - middle
    expected = final + (both / spread * away if spread else 0.0)
    return min(max(expected, min(finals)), max(finals))


def final_values(trials: Sequence[TrialRecord]) -> dict[int, float]:
    """Return what each trial came to, or would have, by its number; those without an end apart.

    A stopped one counts by its expected end, or by its last value where whole curves are too few to
    tell that: it is lower than any end, for the schedule's sake, and so is as bad as it can be.
    Trials that failed, run, or wait for a budget have no end.
    """
    ended = [t for t in trials if t.value is not None and t.is_finished and t.state != "FAIL"]
    whole = [t.curve for t in ended if t.state == "COMPLETE"]
    longest = max(map(len, whole), default=0)
    curves = [curve for curve in whole if len(curve) == longest]
    found = {}
    for trial in ended:
        assert trial.value is not None
        expected = None if trial.state == "COMPLETE" else expected_final(trial.curve, curves)
        found[trial.number] = trial.value if expected is None else expected
    return found
