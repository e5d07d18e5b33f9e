"""What a CIFAR-10 test accuracy lets expect of the competition's score: an extrapolation.

The competition's images are another, harder collection. Six teams of 2025 have published both
numbers, and on probit axes they lie near a line, as accuracies on a re-collected CIFAR-10 lie near
one (Recht et al. 2018, https://arxiv.org/abs/1806.00451).
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, linear_regression

TEAMS = (
    (0.9456, 0.8262), (0.9532, 0.8497), (0.9541, 0.8557),
    (0.9549, 0.8510), (0.9709, 0.8891), (0.9760, 0.8939),
)  # fmt: skip
"""CIFAR-10 test accuracy and score; the third is the seed recipe's."""
_BEYOND = 0.01  # an accuracy further than this from all of them is not extrapolated
_STUDENT = 2.776  # 97.5% of Student's t with 6 - 2 degrees of freedom
_normal = NormalDist()


@dataclass(frozen=True, slots=True)
class Expectation:
    """A score to be expected, and the interval in which it lies with 95%; fractions."""

    score: float
    low: float
    high: float


def expected_score(test_accuracy: float) -> Expectation | None:
    """Return what the line says, as a prediction for one more team; None too far from the six.

    Args:
        test_accuracy: on CIFAR-10's own test set, [0, 1].
    """
    known = [accuracy for accuracy, _ in TEAMS]
    if not min(known) - _BEYOND <= test_accuracy <= max(known) + _BEYOND:
        return None
    x = [_normal.inv_cdf(accuracy) for accuracy in known]
    y = [_normal.inv_cdf(score) for _, score in TEAMS]
    slope, intercept = linear_regression(x, y)
    rest = sum((b - intercept - slope * a) ** 2 for a, b in zip(x, y, strict=True)) / (len(x) - 2)
    at, middle = _normal.inv_cdf(test_accuracy), fmean(x)
    spread = 1 + 1 / len(x) + (at - middle) ** 2 / sum((a - middle) ** 2 for a in x)
    error = _STUDENT * sqrt(rest * spread)
    found = intercept + slope * at
    score, low, high = (_normal.cdf(each) for each in (found, found - error, found + error))
    return Expectation(score, low, high)
