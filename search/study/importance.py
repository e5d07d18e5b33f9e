"""Which hyperparameters matter, and which cannot be told from noise.

Two questions are asked of each. PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255),
Optuna's own, asks how far the values of the best trials differ from those of all: its share. A few
trials differ by chance as well: how far is found by dealing the results out to other trials, and
how sure a share is by drawing the trials anew, with replacement. Where a model chose the trials it
has left all of them near its best, and the best no longer differ: so a surface through the values
of all trials is asked too (`search.study.surface`).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from search.study.expected import final_values
from search.study.records import TrialRecord
from search.study.space import StudyConfig
from search.study.surface import chances

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

LEAST_TRIALS = 10
"""Fewer trials say nothing of a hyperparameter: the best are five of them."""
ERROR_RATE = 0.05
"""How often noise alone makes any of the hyperparameters look as if it mattered."""
_BEST, _LEAST_BEST = 0.1, 5  # Optuna's: a tenth, and at least five are preferable
_DEALS, _DRAWS = 200, 100
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
    frozen = _frozen(config, told)
    generator = np.random.default_rng(seed)
    found = _divergences(frozen, names)
    dealt = [_divergences(_dealt(frozen, generator), names) for _ in range(_DEALS)]
    drawn = [_shares(_divergences(_drawn(frozen, generator), names)) for _ in range(_DRAWS)]
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


def _frozen(config: StudyConfig, trials: Sequence[TrialRecord]) -> list["FrozenTrial"]:
    """Return trials as Optuna has them, all complete, the value of each its rank from the worst."""
    from optuna.trial import create_trial

    from search.study.samplers import distributions

    space = distributions(config)
    ranked = sorted(trials, key=lambda t: (t.state == "COMPLETE", t.value, -t.number))
    made = [
        create_trial(params=dict(trial.params), distributions=space, value=float(rank))
        for rank, trial in enumerate(ranked)
    ]
    for number, trial in enumerate(made):
        trial._trial_id = number  # by which the evaluator knows the best among all
    return made


def _dealt(trials: Sequence["FrozenTrial"], generator: np.random.Generator) -> list["FrozenTrial"]:
    """Return the trials with their results dealt out anew."""
    changed = [copy.copy(trial) for trial in trials]
    for trial, value in zip(changed, generator.permutation(len(trials)), strict=True):
        trial.value = float(value)
    return changed


def _drawn(trials: Sequence["FrozenTrial"], generator: np.random.Generator) -> list["FrozenTrial"]:
    """Return as many trials, drawn with replacement."""
    return [trials[k] for k in generator.integers(0, len(trials), len(trials))]


class _Told:
    """A study that holds these trials: all that the evaluator asks of one."""

    def __init__(self, trials: Sequence["FrozenTrial"]) -> None:
        from optuna.study import StudyDirection

        self._trials = list(trials)
        self.directions = [StudyDirection.MAXIMIZE]

    def get_trials(self, **_: Any) -> list["FrozenTrial"]:
        return self._trials

    def _is_multi_objective(self) -> bool:
        return False


def _divergences(trials: Sequence["FrozenTrial"], names: list[str]) -> Array:
    """Return by how much the best trials differ from all in each hyperparameter; >= 0."""
    from optuna.importance import PedAnovaImportanceEvaluator

    best = max(_BEST, _LEAST_BEST / len(trials))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
    found = evaluator.evaluate(cast("Study", _Told(trials)), names)
    return np.array([found[name] for name in names])


def _shares(divergences: Array) -> Array:
    """Return parts of the whole; equal ones where there is nothing to share."""
    total = float(divergences.sum())
    if total <= 0:
        return np.full(len(divergences), 1 / len(divergences))
    return divergences / total
