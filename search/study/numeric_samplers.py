"""Samplers of Optuna's kind whose suggestion is the same after an interruption.

Optuna's own keep something in the study while they suggest: QMCSampler the index of the next point,
GPSampler the values of the trial in hand, which it then takes for another one that is running. A
suggestion that a kill cut short would come out otherwise when it is made again.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.study.expected import expected_final


class SobolSampler(optuna.samplers.BaseSampler):
    """Trial k takes point k of a scrambled Sobol sequence over the whole space.

    Source: Sobol' 1967; Owen 1998, https://doi.org/10.1006/jcom.1998.0487.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], *, seed: int) -> None:
        self._space = dict(space)
        self._seed = seed

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the whole space: a point has all its coordinates at once."""
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the point that belongs to the trial's number."""
        from scipy.stats.qmc import Sobol  # half a second, for those who asked for it

        sequence = Sobol(len(search_space), scramble=True, rng=self._seed)
        point = sequence.random_base2(trial.number.bit_length())[trial.number]
        pairs = zip(search_space.items(), point, strict=True)
        return {name: _value(domain, float(share)) for (name, domain), share in pairs}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Nothing is drawn alone."""
        raise AssertionError(param_name)


def _value(domain: BaseDistribution, share: float) -> float:
    """Return the value below which a share of the domain lies."""
    assert isinstance(domain, FloatDistribution | IntDistribution), domain
    is_integer = isinstance(domain, IntDistribution)
    # Each integer has the same width, the two at the ends included.
    low, high = (domain.low - 0.5, domain.high + 0.5) if is_integer else (domain.low, domain.high)
    value = low * (high / low) ** share if domain.log else low + (high - low) * share
    inside = min(max(round(value) if is_integer else value, domain.low), domain.high)
    return int(inside) if is_integer else float(inside)


class LearningGPSampler(optuna.samplers.GPSampler):
    """A Gaussian process that learns from stopped trials too, by what they were expected to become.

    It never takes the trial in hand for another one that is running.
    """

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return what Optuna's sampler suggests from all other trials, to six digits.

        Another processor rounds otherwise, at the thirteenth digit; what is suggested on top of it
        differs ever more, and after twenty trials a replay there would call the study changed.
        """
        told = cast("Study", _ToldStudy(study, trial.number))
        suggested = super().sample_relative(told, trial, search_space)
        return {name: _rounded(search_space[name], value) for name, value in suggested.items()}


def _rounded(domain: BaseDistribution, value: Any) -> Any:
    if not isinstance(domain, FloatDistribution):
        return value
    return min(max(float(f"{value:.6g}"), domain.low), domain.high)


class _ToldStudy:
    """A study without one of its trials, whose stopped trials have their expected final value."""

    def __init__(self, study: Study, number: int) -> None:
        self._study = study
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, *, states: Sequence[TrialState], **options: Any) -> Sequence[FrozenTrial]:
        states = (*states, TrialState.PRUNED)
        trials = [
            trial
            for trial in self._study._get_trials(states=states, **options)
            if trial.number != self._number
        ]
        curves = [_curve(trial) for trial in trials if trial.state == TrialState.COMPLETE]
        told = (_told(trial, curves) for trial in trials)
        return [trial for trial in told if trial is not None]


def _told(trial: FrozenTrial, curves: Sequence[Sequence[float]]) -> FrozenTrial | None:
    """Return a stopped trial as one that is complete, None if nothing can be said of its end."""
    if trial.state != TrialState.PRUNED:
        return trial
    value = expected_final(_curve(trial), curves)
    if value is None:
        return None
    told = copy.copy(trial)  # the storage keeps its own
    told.state, told.value = TrialState.COMPLETE, value
    return told


def _curve(trial: FrozenTrial) -> list[float]:
    """Return the values of a trial that has ended; it has one for each epoch."""
    return [value for _, value in sorted(trial.intermediate_values.items())]
