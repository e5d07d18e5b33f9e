"""DEHB, asked and told."""

import tempfile
from typing import Any

from dehb import DEHB

from peers.config_space import config_space
from peers.given import as_params
from peers.loop import Work
from peers.rungs_given import Jobs
from search.study.space import StudyConfig


class Evolution:
    """Differential evolution at each rung of Hyperband.

    It takes no setting of a user's: `tell` refuses what was not asked for. So the baseline is not
    among its trials.
    """

    def __init__(self, config: StudyConfig, seed: int, first: int, factor: int) -> None:
        self._config = config
        self._jobs = Jobs(self._tell)
        self._folder = tempfile.TemporaryDirectory(prefix="dehb-")
        self._dehb = DEHB(
            cs=config_space(config),
            min_fidelity=first,
            max_fidelity=config.study.max_epochs,
            eta=factor,
            seed=seed,
            n_workers=1,  # of its own; it is asked as often as there are workers here
            save_freq="end",
            output_path=self._folder.name,
        )

    def suggest(self) -> Work:
        """Return the setting and rung that are next."""
        work = None
        while work is None:
            info = self._dehb.ask()
            params = as_params(self._config, dict(info["config"]))
            rung = round(float(info["fidelity"]))
            work = self._jobs.ask(int(info["config_id"]), params, rung, info)
        return work

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell the value at the rung, and only there."""
        return self._jobs.report(number, epoch, value)

    def _tell(self, info: Any, value: float) -> None:
        self._dehb.tell(info, {"fitness": 1 - value, "cost": 1.0})
