"""Syne Tune: its schedulers, called as its tuner calls them, without a backend."""

import datetime
import random

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import lograndint, loguniform, randint, uniform
from syne_tune.optimizer.baselines import CQR
from syne_tune.optimizer.scheduler import SchedulerDecision, TrialScheduler
from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving
from syne_tune.optimizer.schedulers.searchers.last_value_multi_fidelity_searcher import (
    LastValueMultiFidelitySearcher,
)

from peers.given import as_params, baseline
from peers.loop import Work
from search.study.space import StudyConfig

_METRIC, _TIME = "val_accuracy", "epoch"


class Syne:
    """One of Syne Tune's schedulers; its tuner calls `on_trial_remove` for what it stops."""

    def __init__(self, config: StudyConfig, seed: int, scheduler: TrialScheduler) -> None:
        # Parts of the package draw from the global generators, whatever its seeds are.
        np.random.seed(seed)
        random.seed(seed)
        self._config = config
        self._scheduler = scheduler
        self._trials: list[Trial] = []

    def suggest(self) -> Work:
        """Return what the scheduler suggests: always a new trial, since its ASHA only stops."""
        suggestion = self._scheduler.suggest()
        assert suggestion is not None
        assert suggestion.spawn_new_trial_id
        number = len(self._trials)
        # The time is kept by the package and used by none of these schedulers.
        trial = Trial(number, suggestion.config, datetime.datetime.fromtimestamp(0))
        self._trials.append(trial)
        self._scheduler.on_trial_add(trial)
        return Work(number, as_params(self._config, suggestion.config))

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Let the scheduler decide."""
        trial = self._trials[number]
        result = {_METRIC: value, _TIME: epoch}
        if self._scheduler.on_trial_result(trial, result) == SchedulerDecision.STOP:
            self._scheduler.on_trial_remove(trial)
            return False
        if epoch == self._config.study.max_epochs:
            self._scheduler.on_trial_complete(trial, result)
            return False
        return True


def cqr(config: StudyConfig, seed: int) -> Syne:
    """Conformal quantile regression on whole trials."""
    scheduler = CQR(
        _space(config),
        metric=_METRIC,
        do_minimize=False,
        random_seed=seed,
        points_to_evaluate=[baseline(config)],
    )
    return Syne(config, seed, scheduler)


def asha(
    config: StudyConfig, seed: int, searcher: str, grace: int, factor: int, every: int = 1
) -> Syne:
    """Successive halving that stops, with a searcher on each trial's last value.

    Args:
        config: the study's.
        seed: of the search.
        searcher: `random_search`, or `cqr`.
        grace: first rung; epochs.
        factor: one trial in so many goes on.
        every: `update_frequency`, after how many new trials the model is fitted anew.
    """
    space = _space(config)
    last_value = LastValueMultiFidelitySearcher(
        space,
        random_seed=seed,
        points_to_evaluate=[baseline(config)],
        searcher=searcher,
        update_frequency=every,
    )
    scheduler = AsynchronousSuccessiveHalving(
        space,
        metric=_METRIC,
        do_minimize=False,
        searcher=last_value,
        time_attr=_TIME,
        max_t=config.study.max_epochs,
        grace_period=grace,
        reduction_factor=factor,
        random_seed=seed,
    )
    return Syne(config, seed, scheduler)


def _space(config: StudyConfig) -> dict[str, object]:
    space = {}
    for name, domain in config.space.items():
        low, high = domain.low, domain.high
        if config.is_integer(name):
            space[name] = (lograndint if domain.log else randint)(int(low), int(high))
        else:
            space[name] = (loguniform if domain.log else uniform)(low, high)
    return space
