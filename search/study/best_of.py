"""The best of k trials, expected over the order in which they could have come.

Of n values, k are drawn without replacement: the expectation of the largest is exact, a sum over
the values by rank, and unbiased for the best of k new trials of the same kind; drawing with
replacement would find it too low (Tang et al. 2020, https://arxiv.org/abs/2004.13705).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 200
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """By how much the best of some trials exceeds the best of fewer."""

    expected: float
    """Fraction."""
    low: float
    """Lower end of its 80% interval, by bootstrap over the trials."""
    high: float


def expected_best(values: Sequence[float]) -> list[float]:
    """Return the expected largest of 1, 2, ... and all of some values, drawn without replacement.

    Args:
        values: at least one, in any order.
    """
    array = np.sort(np.array(values, dtype=float))[::-1]
    return [float(each) for each in _weights(len(array)) @ array]


def gain_of_second_half(values: Sequence[float], *, seed: int = 0) -> Gain:
    """Return by how much the best of all exceeds the best of half of them, at least two.

    Args:
        values: of the trials, in any order.
        seed: of the bootstrap.
    """
    weights, array = _weights(len(values)), np.array(values, dtype=float)
    half = weights[-1] - weights[len(values) // 2 - 1]
    low, high = np.quantile(_resampled(array, seed) @ half, (_LOW, _HIGH))
    expected = float(half @ np.sort(array)[::-1])
    return Gain(expected=expected, low=float(low), high=float(high))


def _resampled(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return rows of as many values drawn with replacement, each the largest first."""
    chosen = np.random.default_rng(seed).integers(0, len(values), (_RESAMPLES, len(values)))
    return np.sort(values[chosen], axis=1)[:, ::-1]


def _weights(num: int) -> NDArray[np.float64]:
    """Return, by k - 1 and rank, the probability that a value is the largest of k of `num`.

    The j-th largest is it if it is drawn and none of those above it: the first factor is k of the
    num - j + 1 that are left, the second was built up on the way.
    """
    k = np.arange(1, num + 1, dtype=float)
    none_above = np.ones(num)
    weights = np.empty((num, num))
    for rank in range(num):
        left = num - rank
        drawn = np.minimum(1.0, k / left)
        weights[:, rank] = none_above * drawn
        none_above = none_above * (1 - drawn)
    return weights
