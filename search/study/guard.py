"""Where early stopping may begin, told by the whole curves of trials that were exempt from it.

A rung is right where the value there tells the value at the end. For each candidate this is the
correlation of the two over the whole curves, Pearson's r, with its interval in Fisher's z, whose
variance is 1 / (n - 3). Values count, not ranks: order among bad trials costs nothing if it is
wrong, but hides in a rank correlation that the good ones stand out early.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.study.rungs import is_stopped

LEAST_CURVES = 4
"""Fewer whole curves say nothing of others: their interval would have no width."""
LEAST_R = 0.35
"""A rung is safe if its interval lies above this."""
SURE_R = 0.7
"""Where the first rung's interval lies above this, half as many trials go on."""
_QUANTILE = 1.2816  # of the normal distribution: 80% lie inside, 10% below
_SMOOTHED_PART = 12  # 5 epochs of 60
_PARTS, _LAST_PART = 8, 4  # stopping half of all later than halfway saves less than a quarter


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A first rung that was looked at."""

    epoch: int
    r: float
    """Correlation of the values there with the final ones, [-1, 1]; 0 where all are equal."""
    low: float
    """Lower end of its 80% interval."""
    high: float
    rho: float
    """Rank correlation of the same, [-1, 1]; for the reader, nothing is decided by it."""
    stops_best: bool
    """Whether the later best would have been stopped among these trials."""

    @property
    def is_safe(self) -> bool:
        """Whether early values tell the final ones well enough to stop trials by them."""
        return self.low > LEAST_R and not self.stops_best


@dataclass(frozen=True, kw_only=True, slots=True)
class RungChoice:
    """What the whole curves say of early stopping."""

    num_curves: int
    candidates: tuple[Candidate, ...]
    """By epoch; none where the curves were too few."""
    given_factor: int
    """The study file's `reduction_factor`."""

    @property
    def first_rung(self) -> int | None:
        """The earliest safe rung; None if nobody is to be stopped."""
        return next((each.epoch for each in self.candidates if each.is_safe), None)

    @property
    def reduction_factor(self) -> int:
        """The study file's; twice that where the first rung all but tells the end."""
        first = next((each for each in self.candidates if each.is_safe), None)
        is_sure = first is not None and first.low > SURE_R
        return 2 * self.given_factor if is_sure else self.given_factor

    @property
    def sentence(self) -> str:
        """The choice and its reason, for a person."""
        if self.num_curves < LEAST_CURVES:
            return f"{self.num_curves} whole curves are too few to judge rungs: nobody is stopped"
        if not self.candidates:
            return "no rung lies early enough to save anything: nobody is stopped"
        epochs = [each.epoch for each in self.candidates]
        is_found = self.first_rung is not None
        at = epochs.index(self.first_rung) if self.first_rung is not None else len(epochs) - 1
        told = _describe(self.candidates[at])
        if at:
            before = self.candidates[at - 1]
            told += f"; epoch {before.epoch} at r {before.r:.2f}"
        chosen = f"first rung {epochs[at]}, one in {self.reduction_factor} goes on"
        return f"{told}: {chosen if is_found else 'nobody is stopped'}"


def choose_rungs(
    curves: Sequence[Sequence[float]], *, min_epochs: int, reduction_factor: int
) -> RungChoice:
    """Return what whole curves say of each candidate for the first rung.

    Args:
        curves: values by epoch, the first epoch first, all equally long; higher is better.
        min_epochs: the earliest candidate; those after it are the eighths of the schedule, until
            half of it.
        reduction_factor: of the rungs; integer >= 2.
    """
    if len(curves) < LEAST_CURVES:
        return RungChoice(num_curves=len(curves), candidates=(), given_factor=reduction_factor)
    max_epochs = len(curves[0])
    assert all(len(curve) == max_epochs for curve in curves), [len(curve) for curve in curves]
    finals = [curve[-1] for curve in curves]
    candidates = []
    for epoch in candidate_epochs(min_epochs=min_epochs, max_epochs=max_epochs):
        values = [smoothed(curve, epoch, max_epochs=max_epochs) for curve in curves]
        r, rho = correlation(values, finals), rank_correlation(values, finals)
        low, high = interval(r, len(curves))
        best = values[finals.index(max(finals))]
        stops_best = is_stopped(best, values, reduction_factor=reduction_factor)
        candidates.append(
            Candidate(epoch=epoch, r=r, low=low, high=high, rho=rho, stops_best=stops_best)
        )
    return RungChoice(
        num_curves=len(curves), candidates=tuple(candidates), given_factor=reduction_factor
    )


def smoothed(values: Sequence[float], epoch: int, *, max_epochs: int) -> float:
    """Return what a trial is judged by at an epoch: the mean over a twelfth of the schedule.

    One epoch's accuracy swings; means of the epochs until the rung tell the final values better.

    Args:
        values: by epoch, the first epoch first, at least `epoch` of them.
        epoch: of the rung; from 1.
        max_epochs: length of the schedule.
    """
    last = values[max(0, epoch - max(1, max_epochs // _SMOOTHED_PART)) : epoch]
    return math.fsum(last) / len(last)


def candidate_epochs(*, min_epochs: int, max_epochs: int) -> list[int]:
    """Return where a first rung may lie: `min_epochs` and the later eighths of the schedule."""
    eighths = {max_epochs * part // _PARTS for part in range(1, _LAST_PART + 1)}
    latest = max_epochs * _LAST_PART // _PARTS
    return sorted(epoch for epoch in {min_epochs, *eighths} if min_epochs <= epoch <= latest)


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Pearson's r in [-1, 1]; 0 where one side is all equal and so tells nothing."""
    sides = (first, second)
    away = [[value - math.fsum(side) / len(side) for value in side] for side in sides]
    spread = math.sqrt(math.prod(math.fsum(a * a for a in side) for side in away))
    if spread == 0:
        return 0.0
    r = math.fsum(a * b for a, b in zip(*away, strict=True)) / spread
    return max(-1.0, min(1.0, r))


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rho in [-1, 1]; 0 where one side is all equal and so ranks nothing."""
    return correlation(_ranks(first), _ranks(second))


def interval(r: float, num_curves: int) -> tuple[float, float]:
    """Return the 80% interval of a correlation; near +-1 as that of what lies just inside.

    A straight line through a few curves happens by luck, and Fisher's z would call it certain.
    """
    n = num_curves
    most = 1 - 6 / (n * (n * n - 1))  # half the step of a rank correlation
    kept = max(-most, min(most, r))
    half = _QUANTILE / math.sqrt(n - 3)
    return math.tanh(math.atanh(kept) - half), math.tanh(math.atanh(kept) + half)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 1; equal values share the average of theirs."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def _describe(candidate: Candidate) -> str:
    text = (
        f"epoch {candidate.epoch} tells finals at r {candidate.r:.2f} "
        f"[{candidate.low:.2f}, {candidate.high:.2f}], ranks them at rho {candidate.rho:.2f}"
    )
    return text + (" and stops the later best" if candidate.stops_best else "")
