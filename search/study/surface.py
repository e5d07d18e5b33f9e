"""Does the result bend with a hyperparameter, the others allowed for? An F test for each.

A surface is laid through the final values of all trials: a parabola in each hyperparameter, or a
line where the trials are few, added up. How much worse it fits without one of them, beside what it
leaves over, says how likely noise alone would do that. Trials that a model chose lie where it hoped
for most; a surface allows for that, while to compare the best of them with the others does not.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.study.sections import Domain

_LEAST_DEGREES, _LEAST_FOR_PARABOLAS = 4, 10  # of freedom left for the noise
_NOTHING = 1e-12  # of squares, beside which numbers are rounding

Array = NDArray[np.float64]


def chances(
    space: Mapping[str, Domain], points: Sequence[Mapping[str, float]], values: Sequence[float]
) -> dict[str, float]:
    """Return for each hyperparameter how likely noise alone would bend the values so.

    That is 1 where the trials are too few, or where nothing can be told apart.

    Args:
        space: hyperparameter to domain, those that vary.
        points: hyperparameters of each trial.
        values: final value of each trial.
    """
    from scipy import stats

    array = np.array(values, dtype=float)
    columns = {name: _column(domain, name, points) for name, domain in space.items()}
    power = 2 if len(array) - 1 - 2 * len(space) >= _LEAST_FOR_PARABOLAS else 1
    if len(array) - 1 - power * len(space) < _LEAST_DEGREES:
        return dict.fromkeys(space, 1.0)
    whole, rank = _left_over(columns, array, power)
    degrees = len(array) - rank
    found = {}
    for name in space:
        rest, of_rest = _left_over({k: c for k, c in columns.items() if k != name}, array, power)
        used, worse = rank - of_rest, rest - whole
        is_told = used > 0 and worse > _NOTHING
        ratio = worse / used / (whole / degrees) if is_told and whole > _NOTHING else math.inf
        found[name] = float(stats.f.sf(ratio, used, degrees)) if is_told else 1.0
    return found


def _column(domain: Domain, name: str, points: Sequence[Mapping[str, float]]) -> Array:
    """Return where each trial lies in a range, from -1 to 1, by logarithms if so drawn."""
    at = np.array([float(point[name]) for point in points])
    low, high = domain.low, domain.high
    if domain.log:
        at, low, high = np.log(at), math.log(low), math.log(high)
    return 2 * (at - low) / (high - low) - 1


def _left_over(columns: Mapping[str, Array], values: Array, power: int) -> tuple[float, int]:
    """Return the sum of squares that a surface leaves over, and how many numbers it has."""
    powers = [column**k for column in columns.values() for k in range(1, power + 1)]
    design = np.column_stack([np.ones(len(values)), *powers])
    weights, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    return float(((values - design @ weights) ** 2).sum()), int(rank)
