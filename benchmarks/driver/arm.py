"""What both drivers are measured by: the same clock, the same parts, the same moments."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from time import process_time
from typing import Any

import optuna
import ray
import ray.tune
import torch  # noqa: F401 - a driver that hands out images has it loaded, on either side
from made_up import largest_peak, peak_memory
from optuna.storages import RDBStorage
from ray.tune.schedulers import TrialScheduler
from sqlalchemy.engine.default import DefaultDialect
from stopwatch import Stopwatch

TUNE = "Tune's loop, the workers"
_WRITES = """_create_new_trial _set_trial_param set_trial_param set_trial_state_values
    set_trial_intermediate_value set_trial_user_attr set_trial_system_attr set_study_user_attr"""
_READS = """_get_trials get_trial get_trial_system_attrs get_study_user_attrs
    get_study_system_attrs get_study_directions get_trial_id_from_study_id_trial_number"""
SPACE = {
    "dropout": (0.0, 0.5, False),
    "label_smoothing": (0.0, 0.2, False),
    "weight_decay": (1e-5, 5e-3, True),
    "mixup_alpha": (0.0, 1.0, False),
    "lr": (1e-3, 1.0, True),
}
"""Low, high and whether the scale is logarithmic."""
BASELINE = {
    "dropout": 0.2,
    "label_smoothing": 0.08,
    "weight_decay": 5e-4,
    "mixup_alpha": 0.4,
    "lr": 0.1,
}
REDUCTION_FACTOR = 3
NUM_STARTUP = 10
SEED = 0


class Arm:
    """One driver's run, measured."""

    def __init__(self, scheduler: type, asked: Namespace) -> None:
        """Start the clock.

        Args:
            scheduler: whose decisions are counted.
            asked: `num_trials` and `folder`.
        """
        self.peaks: Path = asked.folder / "peaks"
        self.peaks.mkdir(parents=True)
        self._num_trials: int = asked.num_trials
        self._num_reports = self._num_ended = 0
        self._memory: dict[int, dict[str, float]] = {}
        self._cpu_before = process_time()
        self.stopwatch = Stopwatch("open and close")
        time = self.stopwatch.time
        time(ray, "init", "Ray's start")
        time(ray, "shutdown", "Ray's end")
        time(ray.tune.Tuner, "fit", TUNE)
        time(RDBStorage, _WRITES, "storage, writing")
        time(DefaultDialect, "do_commit", "storage, waiting for the disk")
        time(RDBStorage, _READS, "storage, reading")
        samplers = "sample_relative sample_independent infer_relative_search_space after_trial"
        time(optuna.samplers.TPESampler, samplers, "sampler")
        self._count(scheduler)

    def _count(self, scheduler: Any) -> None:
        decide = scheduler.on_trial_result

        def counting(*arguments: Any) -> str:
            if self._num_reports == 0:
                self.stopwatch.rename(TUNE, "the first workers' start")
            self._num_reports += 1
            decision: str = decide(*arguments)
            self._num_ended += decision == TrialScheduler.STOP
            # Both once: of trials that end together, the first is looked at.
            if self._num_ended in (self._num_trials // 4, self._num_trials):
                self._memory.setdefault(self._num_ended, self._look())
            return decision

        scheduler.on_trial_result = counting

    def _look(self) -> dict[str, float]:
        return {"driver": peak_memory(), "worker": largest_peak(self.peaks)}

    def write(self, path: Path) -> None:
        """Stop the clock and write what was measured."""
        parts = self.stopwatch.read()
        content = {
            "seconds": sum(parts.values()),
            "cpu_seconds": process_time() - self._cpu_before,
            "parts": parts,
            "num_trials": self._num_ended,
            "num_reports": self._num_reports,
            "peak_mib": self._memory,
        }
        path.write_text(json.dumps(content, indent=2, allow_nan=False))


def parse() -> Namespace:
    """Return what was asked of an arm."""
    parser = ArgumentParser()
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="empty; the study's and the measurement's")
    add("--num-trials", type=int, required=True)
    add("--epochs", type=int, required=True, help="of a trial, at most")
    add("--concurrent", type=int, required=True)
    return parser.parse_args()
