"""SMAC3's multi-fidelity facade, asked and told."""

import tempfile
import warnings
from typing import Any

from ConfigSpace import Configuration
from smac import MultiFidelityFacade, Scenario
from smac.runhistory import TrialValue

from peers.config_space import config_space
from peers.given import as_params, baseline
from peers.loop import Work
from peers.rungs_given import Jobs
from search.study.space import StudyConfig


class Smac:
    """Hyperband over epochs, a random forest on the highest rung that has values."""

    def __init__(
        self, config: StudyConfig, seed: int, first: int, factor: int, evaluations: int
    ) -> None:
        """Make a facade at its defaults but for the factor.

        Args:
            config: the study's.
            seed: of the search.
            first: `min_budget`; epochs.
            factor: `eta`.
            evaluations: `n_trials`, how many the budget will pay for; a quarter of them at most
                is the random initial design.
        """
        self._config = config
        self._jobs = Jobs(self._tell)
        self._folder = tempfile.TemporaryDirectory(prefix="smac-")
        scenario = Scenario(
            config_space(config),
            output_directory=self._folder.name,
            min_budget=first,
            max_budget=config.study.max_epochs,
            n_trials=evaluations,
            seed=seed,
        )
        given = Configuration(scenario.configspace, values=baseline(config))
        design = MultiFidelityFacade.get_initial_design(scenario, additional_configs=[given])
        # The design puts what is given last; it is to be the first.
        drawn = design.select_configurations
        design.select_configurations = lambda: sorted(drawn(), key=lambda each: each != given)
        self._facade = MultiFidelityFacade(
            scenario,
            target_function=None,
            initial_design=design,
            intensifier=MultiFidelityFacade.get_intensifier(scenario, eta=factor),
            logging_level=False,
            overwrite=True,
        )

    def suggest(self) -> Work:
        """Return the setting and rung that the intensifier wants next."""
        work = None
        while work is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a forest on one value
                info = self._facade.ask()
            params = as_params(self._config, dict(info.config))
            work = self._jobs.ask(info.config, params, round(info.budget), info)
        return work

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell the value at the rung, and only there."""
        return self._jobs.report(number, epoch, value)

    def _tell(self, info: Any, value: float) -> None:
        self._facade.tell(info, TrialValue(cost=1 - value), save=False)
