"""The trainings after the search, stage by stage: how far each is, and when all may be done."""

import csv
import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from search.study.folder import StudyFolder
from seresnet.epoch import EpochResult

CONFIRM, ABLATE, RETRAIN = "confirm", "ablate", "retrain"
_BEGUN = "run.sha256"  # the first that a run writes


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRun:
    """One training of a stage."""

    name: str
    """Of its folder, such as `t0007-seed11`."""
    epochs: int
    """That it is to have; 0 where nobody can tell."""
    last: EpochResult | None = None
    """Of its last epoch."""
    is_done: bool = False
    """Whether it is at its end, diverged ones too."""

    @property
    def epochs_done(self) -> int:
        """Epochs that it has by now."""
        return self.last.epoch if self.last else 0

    @property
    def is_running(self) -> bool:
        """Whether it has begun, and is not at its end."""
        return self.last is not None and not self.is_done


@dataclass(frozen=True, slots=True)
class Stage:
    """The trainings of one stage at one moment."""

    name: str
    """`confirm`, `ablate` or `retrain`."""
    runs: tuple[StageRun, ...]
    at_once: int = 0
    """Runs that are trained side by side; 0: as many as are being trained now."""

    @property
    def num_done(self) -> int:
        """Runs at their end."""
        return sum(run.is_done for run in self.runs)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be trained."""
        return self.num_done == len(self.runs)

    @property
    def epochs_done(self) -> int:
        """Epochs of all runs by now."""
        return sum(run.epochs_done for run in self.runs)

    @property
    def epochs_most(self) -> int:
        """Epochs that all runs will have; one that diverged has none to come."""
        return sum(run.epochs_done if run.is_done else run.epochs for run in self.runs)

    @property
    def running(self) -> list[StageRun]:
        """Runs that are being trained."""
        return [run for run in self.runs if run.is_running]

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all are done at the last epochs' pace; None before the first epoch.

        Of those that are left the longest begins next, wherever a place is free.
        """
        known = [run.last.seconds for run in self.runs if run.last]
        if not known:
            return None
        left = (run.epochs - run.epochs_done for run in self.runs if not run.is_done)
        lines = [0] * max(1, self.at_once or len(self.running))
        for epochs in sorted(left, reverse=True):
            lines[lines.index(min(lines))] += max(0, epochs)
        return max(lines) * fmean(known)

    def begun(self, epochs: Mapping[str, int], done: Collection[str], at_once: int) -> "Stage":
        """Return the stage with more runs; one that comes again, as when Ray starts anew, once.

        Args:
            epochs: name of each run to the epochs that it is to have.
            done: names of those that are at their end already.
            at_once: runs that are trained side by side.
        """
        others = [run for run in self.runs if run.name not in epochs]
        known = {run.name: run for run in self.runs}
        runs = [
            dataclasses.replace(
                known.get(name, StageRun(name=name, epochs=num)),
                epochs=num,
                is_done=name in done,
            )
            for name, num in epochs.items()
        ]
        return Stage(self.name, (*others, *runs), at_once)

    def trained(self, name: str, result: EpochResult, epochs: int) -> "Stage":
        """Return the stage after an epoch of one run."""
        run = StageRun(name=name, epochs=epochs, last=result, is_done=result.epoch >= epochs)
        others = {each.name: each for each in self.runs}
        return dataclasses.replace(self, runs=tuple({**others, name: run}.values()))

    def ended(self, name: str) -> "Stage":
        """Return the stage after a run's end, such as a divergence."""
        runs = [dataclasses.replace(r, is_done=r.is_done or r.name == name) for r in self.runs]
        return dataclasses.replace(self, runs=tuple(runs))


def read_stage(name: str, folder: Path, wanted: Mapping[str, tuple[int, str]]) -> Stage:
    """Return how far trainings are, from what lies in their folders.

    Args:
        name: of the stage.
        folder: that holds a folder a run.
        wanted: name of each run to its epochs and the fingerprint of its settings; a finished run
            with other settings is none of these, and an empty fingerprint admits any.
    """
    runs = [_read_run(folder / name, *expected) for name, expected in wanted.items()]
    begun = [run for run in runs if not run.is_done and (folder / run.name / _BEGUN).is_file()]
    return Stage(name, tuple(runs), len(begun))


def read_ablation(folder: StudyFolder, epochs: int) -> Stage:
    """Return the runs of an ablation that have begun: which there are to be, its plan knows alone.

    Args:
        folder: of the study.
        epochs: of a run that is not at its end, unless others of the stage were longer.
    """
    paths = sorted(path for path in folder.ablate.glob("[!.]*-seed*") if path.is_dir())
    stage = read_stage(ABLATE, folder.ablate, {path.name: (epochs, "") for path in paths})
    most = max([epochs, *(run.epochs_done for run in stage.runs)])
    runs = [run if run.is_done else dataclasses.replace(run, epochs=most) for run in stage.runs]
    return dataclasses.replace(stage, runs=tuple(runs))


def _read_run(folder: Path, epochs: int, fingerprint: str) -> StageRun:
    """Return one training; whatever cannot be read has not begun."""
    last, run = _last_result(folder / "epochs.csv"), StageRun(name=folder.name, epochs=epochs)
    if (folder / "diverged.json").is_file():
        return dataclasses.replace(run, last=last, is_done=True)
    metrics = _metrics(folder) if (folder / "model.pt").is_file() else {}
    if metrics and fingerprint not in ("", metrics.get("config_sha256")):
        return run
    return dataclasses.replace(run, last=last, is_done=bool(metrics))


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "metrics.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _last_result(path: Path) -> EpochResult | None:
    """Return the last row of a run's table, which is replaced whole after each epoch."""
    try:
        with path.open(newline="") as file:
            *_, row = csv.DictReader(file)
        return EpochResult.of_row(row)
    except (OSError, ValueError, LookupError, TypeError):
        return None
