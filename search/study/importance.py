"""Which hyperparameters matter, and which cannot be told from noise.

PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255), Optuna's own, asks how far the
values of the best trials differ from those of all. A few trials differ by chance as well: how far
is found by dealing the results out to other trials, and how sure a share is by drawing the trials
anew, with replacement.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from search.study.records import TrialRecord
from search.study.space import StudyConfig

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LEAST_TRIALS = 10
"""Fewer trials say nothing of a hyperparameter: the best are five of them."""
ERROR_RATE = 0.05
"""How often noise alone lifts any of the hyperparameters above its line."""
_BEST, _LEAST_BEST = 0.1, 5  # Optuna's: a tenth, and at least five are preferable
_DEALS, _DRAWS = 200, 100
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Importance:
    """What a hyperparameter has to do with being among the best trials."""

    name: str
    share: float
    """Of all hyperparameters together, [0, 1]."""
    low: float
    """Lower end of its 80% interval, by bootstrap over the trials."""
    high: float
    noise: float
    """Share that a hyperparameter without any effect stays below; may exceed 1."""
    is_above_noise: bool


def judged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that importance is told by: complete, or stopped at a rung."""
    return [t for t in trials if t.value is not None and t.is_finished and t.state != "FAIL"]


def importances(
    config: StudyConfig, trials: Sequence[TrialRecord], *, seed: int = 0
) -> list[Importance]:
    """Return what each hyperparameter that varies has to do with the result, the largest first.

    A stopped trial counts as worse than every complete one. None where the trials are too few.

    Args:
        config: of the study.
        trials: of the study.
        seed: of the resamples.
    """
    told = judged(trials)
    names = [name for name, domain in config.space.items() if domain.low < domain.high]
    if len(told) < LEAST_TRIALS or not names:
        return []
    frozen = _frozen(config, told)
    generator = np.random.default_rng(seed)
    found = _divergences(frozen, names)
    dealt = [_divergences(_dealt(frozen, generator), names) for _ in range(_DEALS)]
    drawn = [_divergences(_drawn(frozen, generator), names) for _ in range(_DRAWS)]
    noise = np.quantile(dealt, 1 - ERROR_RATE / len(names), axis=0)
    shares = np.array([_shares(each) for each in drawn])
    low, high = np.quantile(shares, (_LOW, _HIGH), axis=0)
    total = float(found.sum()) or 1.0
    rows = [
        Importance(
            name=name,
            share=float(share),
            low=min(float(low[k]), float(share)),
            high=max(float(high[k]), float(share)),
            noise=float(noise[k]) / total,
            is_above_noise=bool(found[k] > noise[k]),
        )
        for k, (name, share) in enumerate(zip(names, _shares(found), strict=True))
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
        trial._trial_id = number
    return made


def _dealt(trials: Sequence["FrozenTrial"], generator: np.random.Generator) -> list["FrozenTrial"]:
    """Return the trials with their results dealt out anew."""
    return [
        _with(trial, value=float(value))
        for trial, value in zip(trials, generator.permutation(len(trials)), strict=True)
    ]


def _drawn(trials: Sequence["FrozenTrial"], generator: np.random.Generator) -> list["FrozenTrial"]:
    """Return as many trials, drawn with replacement."""
    return [trials[k] for k in generator.integers(0, len(trials), len(trials))]


def _with(trial: "FrozenTrial", *, value: float) -> "FrozenTrial":
    changed = copy.copy(trial)
    changed.value = value
    return changed


class _Told:
    """A study that holds these trials: all that the evaluator asks of one."""

    def __init__(self, trials: Sequence["FrozenTrial"]) -> None:
        from optuna.study import StudyDirection

        self._trials = list(trials)
        self.directions = [StudyDirection.MAXIMIZE]

    def get_trials(self, **options: Any) -> list["FrozenTrial"]:
        return self._trials

    def _is_multi_objective(self) -> bool:
        return False


def _divergences(trials: Sequence["FrozenTrial"], names: list[str]) -> np.ndarray:
    """Return by how much the best trials differ from all in each hyperparameter; >= 0."""
    from optuna.importance import PedAnovaImportanceEvaluator
    from optuna.study import Study

    best = max(_BEST, _LEAST_BEST / len(trials))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
    found = evaluator.evaluate(cast("Study", _Told(trials)), names)
    return np.array([found[name] for name in names])


def _shares(divergences: np.ndarray) -> np.ndarray:
    """Return parts of the whole; equal ones where there is nothing to share."""
    total = float(divergences.sum())
    if total <= 0:
        return np.full(len(divergences), 1 / len(divergences))
    return divergences / total
