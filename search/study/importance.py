"""Which hyperparameters matter, and which cannot be told from noise.

Two questions are asked of each. PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255),
Optuna's own, asks how far the values of the best trials differ from those of all: its share. A few
trials differ by chance as well: how far is found by dealing the results out to other trials, and
how sure a share is by drawing the trials anew, with replacement. Where a model chose the trials it
has left all of them near its best, and the best no longer differ: so a surface through the values
of all trials is asked too (`search.study.surface`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.study.expected import final_values
from search.study.ped_anova import Grid, best_of_all, divergence
from search.study.records import TrialRecord
from search.study.space import StudyConfig
from search.study.surface import chances

LEAST_TRIALS = 10
"""Fewer trials say nothing of a hyperparameter: the best are five of them."""
ERROR_RATE = 0.05
"""How often noise alone makes any of the hyperparameters look as if it mattered."""
_BEST, _LEAST_BEST = 0.1, 5  # Optuna's: a tenth, and at least five are preferable
_DEALS, _DRAWS = 500, 200
_LOW, _HIGH = 0.1, 0.9

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Importance:
    """What a hyperparameter has to do with the result."""

    name: str
    share: float
    """Of all hyperparameters together in what sets the best trials apart, [0, 1]."""
    low: float
    """Lower end of its 80% interval, by bootstrap over the trials."""
    high: float
    noise: float
    """Share that a hyperparameter without any effect stays below; may exceed 1."""
    chance: float
    """How likely noise alone bends the values with it as they are bent, [0, 1]."""
    is_above_noise: bool
    """Whether either tells it from noise."""

    @property
    def verdict(self) -> str:
        """By what it is told from noise, for a person."""
        if not self.is_above_noise:
            return "not told from noise"
        if self.share > self.noise:
            return "above noise"
        return f"above noise by a surface through all trials (p {max(self.chance, 1e-4):.2g})"


def judged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that importance is told by: complete, or stopped at a rung."""
    return [trials[number] for number in final_values(trials)]


def importances(
    config: StudyConfig, trials: Sequence[TrialRecord], *, seed: int = 0
) -> list[Importance]:
    """Return what each hyperparameter that varies has to do with the result, the largest first.

    Among the best trials a stopped one counts as worse than every complete one; for the surface it
    counts by its expected end. None where the trials are too few.

    Args:
        config: of the study.
        trials: of the study, by number.
        seed: of the resamples.
    """
    told = judged(trials)
    space = {name: domain for name, domain in config.space.items() if domain.low < domain.high}
    if len(told) < LEAST_TRIALS or not space:
        return []
    names, rate = list(space), ERROR_RATE / 2 / len(space)  # two questions of each
    asked, generator = _Asked(config, told, names), np.random.default_rng(seed)
    found = asked.divergences()
    dealt = [asked.dealt(generator) for _ in range(_DEALS)]
    drawn = [_shares(asked.drawn(generator)) for _ in range(_DRAWS)]
    noise = np.quantile(dealt, 1 - rate, axis=0)
    low, high = np.quantile(drawn, (_LOW, _HIGH), axis=0)
    ends = final_values(trials)
    bent = chances(space, [t.params for t in told], [ends[t.number] for t in told])
    total = float(found.sum()) or 1.0
    rows = [
        Importance(
            name=name,
            share=share,
            low=min(float(low[k]), share),
            high=max(float(high[k]), share),
            noise=float(noise[k]) / total,
            chance=bent[name],
            is_above_noise=bool(found[k] > noise[k]) or bent[name] < rate,
        )
        for k, (name, share) in enumerate(zip(names, _shares(found).tolist(), strict=True))
    ]
    return sorted(rows, key=lambda each: -each.share)


class _Asked:
    """Trials, of which PED-ANOVA is asked again and again.

    Args:
        config: of the study.
        trials: that are told from.
        names: of the hyperparameters that vary.
    """

    def __init__(
        self, config: StudyConfig, trials: Sequence[TrialRecord], names: Sequence[str]
    ) -> None:
        self._grids = [
            Grid(
                config.space[name],
                [trial.params[name] for trial in trials],
                is_integer=config.is_integer(name),
            )
            for name in names
        ]
        ranked = sorted(
            range(len(trials)),
            key=lambda k: (trials[k].state == "COMPLETE", trials[k].value, -trials[k].number),
        )
        self._ranks = np.empty(len(trials))
        self._ranks[ranked] = np.arange(len(trials))
        self._num_best = max(_LEAST_BEST, math.ceil(_BEST * len(trials)))
        self._all = np.arange(len(trials))
        self._densities = [grid.density(self._all) for grid in self._grids]

    def divergences(self) -> Array:
        """Return by how much the best trials differ from all in each hyperparameter; >= 0."""
        return self._of(self._ranks)

    def dealt(self, generator: np.random.Generator) -> Array:
        """Return the same with the results dealt out anew."""
        return self._of(generator.permutation(self._ranks))

    def drawn(self, generator: np.random.Generator) -> Array:
        """Return the same of as many trials, drawn with replacement."""
        chosen = generator.integers(0, len(self._all), len(self._all))
        best = chosen[best_of_all(self._ranks[chosen], self._num_best)]
        return np.array(
            [divergence(grid.density(best), grid.density(chosen)) for grid in self._grids]
        )

    def _of(self, ranks: Array) -> Array:
        best = best_of_all(ranks, self._num_best)
        pairs = zip(self._grids, self._densities, strict=True)
        return np.array([divergence(grid.density(best), every) for grid, every in pairs])


def _shares(divergences: Array) -> Array:
    """Return parts of the whole; equal ones where there is nothing to share."""
    total = float(divergences.sum())
    if total <= 0:
        return np.full(len(divergences), 1 / len(divergences))
    return divergences / total
