"""Stock Ray Tune: its OptunaSearch and its ASHAScheduler, called as Tune's controller calls them.

No cluster: the controller's loop is the peers' loop. What it does with a result is what
`ray/tune/execution/tune_controller.py` does in `_process_trial_result` and `stop_trial`: the
scheduler decides; a result after which the trial goes on is passed to the searcher; one that ends
the trial is not, but is the value with which the searcher is told that the trial is complete, also
where it was stopped early.
"""

from types import SimpleNamespace

import optuna
import ray.tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from peers.given import as_params, baseline
from peers.loop import Work
from search.study.space import StudyConfig

_METRIC = "val_accuracy"


class RayStock:
    """As with `max_concurrent_trials` = the workers: the searcher is asked when one is free."""

    def __init__(self, config: StudyConfig, seed: int, grace: int, factor: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config = config
        self._trials: list[SimpleNamespace] = []
        self._search = OptunaSearch(points_to_evaluate=[baseline(config)], seed=seed)
        self._search.set_search_properties(_METRIC, "max", _space(config))
        self._scheduler = ASHAScheduler(
            metric=_METRIC,
            mode="max",
            max_t=config.study.max_epochs,
            grace_period=grace,
            reduction_factor=factor,
        )

    def suggest(self) -> Work:
        """Return what the searcher suggests."""
        trial = SimpleNamespace(trial_id=f"{len(self._trials):05d}")
        params = self._search.suggest(trial.trial_id)
        self._trials.append(trial)
        self._scheduler.on_trial_add(None, trial)
        return Work(len(self._trials) - 1, as_params(self._config, params))

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Let the scheduler decide; tell the searcher."""
        trial = self._trials[number]
        result = {_METRIC: value, "training_iteration": epoch}
        if self._scheduler.on_trial_result(None, trial, result) != TrialScheduler.STOP:
            self._search.on_trial_result(trial.trial_id, result)
            return True
        self._scheduler.on_trial_complete(None, trial, result)
        self._search.on_trial_complete(trial.trial_id, result=result)
        return False


def _space(config: StudyConfig) -> dict[str, object]:
    space = {}
    for name, domain in config.space.items():
        low, high = domain.low, domain.high
        if config.is_integer(name):
            draw = ray.tune.lograndint if domain.log else ray.tune.randint
            space[name] = draw(int(low), int(high) + 1)  # without the upper end
        else:
            space[name] = (ray.tune.loguniform if domain.log else ray.tune.uniform)(low, high)
    return space
