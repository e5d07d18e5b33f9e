"""Is a configuration really better? Paired seeds, bounds for all comparisons at once, a sentence.

Why so, and what it assumes: docs/explanation/confirmation.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np

ERROR_RATE = 0.05
"""Of a whole confirmation: how often it may call a winner better that is not."""
METHOD = (
    "seeds as blocks: accuracy = configuration + seed + noise; the noise pooled over all "
    "configurations; Dunnett's one-sided bounds, which hold for all differences at once"
)
RULE = (
    "the highest mean over the seeds among the candidates and the baseline; of equals the better "
    "in the search"
)
_LEAST_SD = 1e-9  # below: rounding alone, an accuracy moves in steps of one image
_NODES = 200  # of the integral over the noise; twice as many change the sixth digit


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Configurations beside a reference, over the same seeds."""

    reference: str
    means: dict[str, float]
    """By configuration, over the seeds; fractions."""
    degrees: int
    """Of freedom of the noise: (configurations - 1) (seeds - 1)."""
    noise: float | None
    """Standard deviation of one run once configuration and seed are known; None: not to be told."""
    critical: float | None
    """How many standard errors a difference must exceed; None as above."""
    margin: float | None
    """By how much any one difference may be wrong in one direction; a fraction, None as above."""

    def difference(self, name: str) -> float:
        """Return a configuration's mean less the reference's."""
        return self.means[name] - self.means[self.reference]

    def is_above(self, name: str) -> bool:
        """Return whether a configuration is shown to be better than the reference."""
        return self.margin is not None and self.difference(name) > self.margin

    def is_below(self, name: str) -> bool:
        """Return whether a configuration is shown to be worse than the reference."""
        return self.margin is not None and -self.difference(name) > self.margin


def compare(
    values: Mapping[str, Sequence[float]], reference: str, *, num_compared: int | None = None
) -> Comparison:
    """Compare configurations with one of them.

    Args:
        values: configuration to its accuracies, one a seed, the seeds in the same order for all.
        reference: what the others are compared with.
        num_compared: how many comparisons with it count, for which the bounds hold at once; the
            others lend their noise alone. All by default.
    """
    table = np.array([list(row) for row in values.values()], dtype=float)
    num, num_seeds = table.shape
    degrees = (num - 1) * (num_seeds - 1)
    means = {name: fmean(row) for name, row in values.items()}
    noise = critical = margin = None
    if degrees:
        seeds = table.mean(axis=0) - table.mean()
        rest = table - table.mean(axis=1, keepdims=True) - seeds
        spread = math.sqrt(float((rest**2).sum()) / degrees)
        if spread > _LEAST_SD:
            noise, critical = spread, dunnett(num_compared or num - 1, degrees)
            margin = critical * spread * math.sqrt(2 / num_seeds)
    return Comparison(
        reference=reference,
        means=means,
        degrees=degrees,
        noise=noise,
        critical=critical,
        margin=margin,
    )


@cache
def dunnett(num: int, degrees: int, rate: float = ERROR_RATE) -> float:
    """Return Dunnett's one-sided critical value for `num` configurations beside one reference.

    The largest of `num` t statistics that share a reference and an estimate of the noise exceeds
    it with probability `rate`, where nothing differs.

    Source: C. W. Dunnett 1955, https://doi.org/10.2307/2281208, tables 1a and 1b.
    """
    from scipy import optimize, special, stats  # half a second, which readers need not wait for

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    probabilities, shares = (nodes + 1) / 2, weights / 2
    noise = np.sqrt(stats.chi2.ppf(probabilities, degrees) / degrees)[:, None]
    points, densities = np.polynomial.hermite_e.hermegauss(_NODES // 2)
    densities = densities / densities.sum()

    def excess(critical: float) -> float:
        below = special.ndtr(points + math.sqrt(2) * critical * noise) ** num
        return float(shares @ below @ densities) - (1 - rate)

    return float(optimize.brentq(excess, 0.0, 1000.0, xtol=1e-10))


def image_error(first: float, second: float, num_val: int) -> float:
    """Return the standard error that the choice of validation images adds to a difference.

    It is that of two accuracies on separate images, and so too large for two on the same: those
    err on many images alike.
    """
    return math.sqrt((first * (1 - first) + second * (1 - second)) / num_val)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Who is to be retrained, and whether that is better than the baseline."""

    winner: str
    is_better: bool
    sentence: str


def judge(comparison: Comparison, order: Sequence[str], num_seeds: int) -> Verdict:
    """Choose the winner by `RULE` and say in a sentence whether it beats the reference.

    Args:
        comparison: with the baseline.
        order: the configurations compared, the best in the search first.
        num_seeds: of each configuration.
    """
    baseline, margin = comparison.reference, comparison.margin
    winner = max(order, key=lambda name: comparison.means[name])  # of equals the first
    others = [name for name in order if name != baseline]
    if not others:
        return Verdict(winner=winner, is_better=False, sentence=_ALONE)
    over = f"in the mean of {num_seeds} seeds"
    if winner == baseline:
        best = max(others, key=lambda name: comparison.means[name])
        ahead = f"{points(-comparison.difference(best))} points above {best}, the next"
        sentence = f"not shown to be better: the baseline is the highest {over}, {ahead}"
        return Verdict(winner=winner, is_better=False, sentence=sentence)
    gain, is_better = comparison.difference(winner), comparison.is_above(winner)
    sure = f"({1 - ERROR_RATE:.0%} sure, {len(others)} compared at once)"
    what = f"by {points(gain)} points {over}"
    if margin is None:
        what += ", which show no noise to measure that by"
    elif is_better:
        what += f", by at least {points(gain - margin)} {sure}"
    else:
        what += f", and it takes more than {points(margin)} {sure}"
    claim = "is shown" if is_better else "is not shown"
    sentence = f"{winner} {claim} to be better than the baseline: {what}"
    return Verdict(winner=winner, is_better=is_better, sentence=sentence)


_ALONE = "not shown to be better: there is nothing but the baseline to choose from"


def points(fraction: float) -> str:
    """Return a difference of accuracies in points, as text."""
    return f"{100 * fraction:.2f}"
