"""Optuna alone, asked and told: a sampler at its defaults, a pruner asked after each epoch."""

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.pruners import SuccessiveHalvingPruner as HalvingPruner
from optuna.trial import Trial, TrialState

from peers.given import as_params, baseline
from peers.loop import Work
from search.study.samplers import distributions
from search.study.space import StudyConfig

_SAMPLERS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}


def make_pruner(name: str, config: StudyConfig) -> BasePruner:
    """Return a pruner of Optuna's, at its defaults.

    Args:
        name: `none`, `median` (what `create_study` takes unless told otherwise), `halving`,
            `hyperband`.
        config: the study's, which knows the longest trial; `hyperband` needs it for its brackets.
    """
    match name:
        case "median":
            return MedianPruner()
        case "halving":
            return HalvingPruner()
        case "hyperband":
            return HyperbandPruner(max_resource=config.study.max_epochs)
    return NopPruner()


class OptunaAlone:
    """A study in memory; a trial that the pruner wants to end is told PRUNED, as Optuna says."""

    def __init__(self, config: StudyConfig, seed: int, sampler: str, pruner: str) -> None:
        """Make a study, its baseline enqueued.

        Args:
            config: ours.
            seed: of the sampler.
            sampler: `tpe` or `gp`.
            pruner: of `make_pruner`.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config = config
        self._space = distributions(config)
        self._trials: list[Trial] = []
        self._study = optuna.create_study(
            direction="maximize",
            sampler=_SAMPLERS[sampler](seed=seed),
            pruner=make_pruner(pruner, config),
        )
        self._study.enqueue_trial(baseline(config))

    def suggest(self) -> Work:
        """Return what the sampler draws."""
        trial = self._study.ask(self._space)
        self._trials.append(trial)
        return Work(trial.number, as_params(self._config, trial.params))

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Report the value, and ask the pruner."""
        trial = self._trials[number]
        trial.report(value, epoch)
        if epoch == self._config.study.max_epochs:
            self._study.tell(trial, value)
            return False
        if trial.should_prune():
            self._study.tell(trial, state=TrialState.PRUNED)
            return False
        return True
