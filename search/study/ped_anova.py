"""PED-ANOVA: how far the settings of the best trials differ from those of all.

The numbers are those of Optuna 5's evaluator, its default; a test holds the two together. Optuna
takes 3 to 17 ms for each answer, and hundreds are asked for to learn how sure one is.

Source: Watanabe et al. 2023, https://arxiv.org/abs/2304.10255, algorithm 1.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from search.study.sections import Domain

_STEPS = 50  # of the grid that a range is cut into
_PRIOR = 1.0  # weight of a wide kernel in the middle, beside 1 of each trial
_LEAST_WIDTH = 0.5 / 1.64  # 90% of a kernel lie in one step
_LEAST = 1e-12  # of a density, so that no ratio is infinite

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Grid:
    """A range cut into steps, with the place of each trial.

    Args:
        domain: of the hyperparameter, wider than one value.
        values: of each trial.
        is_integer: whether whole numbers alone are drawn.
    """

    def __init__(self, domain: Domain, values: Sequence[float], *, is_integer: bool) -> None:
        low, high, at = domain.low, domain.high, np.array(values, dtype=float)
        self.size = _STEPS
        if is_integer and domain.log:
            self.size = min(math.ceil(math.log(high - low + 1) / math.log(2)) + 1, _STEPS)
        elif is_integer:
            self.size = min(round(high - low) + 1, _STEPS)
        if domain.log:
            low, high, at = math.log(low), math.log(high), np.log(at)
        steps = np.ceil((at - low) * (self.size - 1) / (high - low) - 0.5)
        self._places = np.clip(steps, 0, self.size - 1).astype(np.int64)

    def density(self, chosen: Integers) -> Floats:
        """Return where trials lie: a sum of kernels with Scott's width, by step.

        Args:
            chosen: their numbers; one may be there more than once.
        """
        counts = np.bincount(self._places[chosen], minlength=self.size)
        places = np.flatnonzero(counts)
        weights = counts[places]
        middles = np.append(places, (self.size - 1) / 2)
        widths = np.append(np.full(len(places), _width(places, weights)), self.size)
        edges = (np.arange(self.size + 1)[:, None] - 0.5 - middles) / widths
        below = ndtr(edges)
        kernels = np.diff(below, axis=0) / (below[-1] - below[0])
        shares = np.append(weights, _PRIOR) / (weights.sum() + _PRIOR)
        return np.asarray(kernels @ shares + _LEAST)


def divergence(best: Floats, every: Floats) -> float:
    """Return Pearson's divergence of two densities; 0 where they are equal."""
    return float(every @ (best / every - 1) ** 2)


def best_of_all(ranks: Floats, num_best: int) -> Integers:
    """Return the numbers of so many best trials, and of those that equal the last of them."""
    limit = np.partition(ranks, len(ranks) - num_best)[len(ranks) - num_best]
    return np.flatnonzero(ranks >= limit)


def _width(places: Integers, weights: Integers) -> float:
    """Return Scott's width of a kernel, by spread or quartiles, at least a good part of a step."""
    total, upto = int(weights.sum()), np.cumsum(weights)
    middle = places @ weights / total
    spread = math.sqrt(float((places - middle) ** 2 @ weights) / max(1, total - 1))
    first = np.searchsorted(upto, total // 4, side="left")
    third = min(len(places) - 1, int(np.searchsorted(upto, total * 3 // 4, side="right")))
    quartiles = float(places[third] - places[first]) / 1.34
    width: float = 1.059 * min(quartiles, spread) * total**-0.2
    return max(width, _LEAST_WIDTH)
