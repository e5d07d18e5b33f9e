"""The tables of a study, derived from it, for people and pandas."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from search.study.records import TRIAL_COLUMNS, TrialRecord
from seresnet.epoch import EpochResult
from seresnet.errors import DataError
from seresnet.files import write_csv

if TYPE_CHECKING:  # pandas takes half a second to import; writing tables does without
    import pandas as pd

_NUM_BEFORE_PARAMS = 4
_RESULT_COLUMNS = [field.name for field in dataclasses.fields(EpochResult)]
_EPOCH_COLUMNS = ["trial", *_RESULT_COLUMNS]
_numbers_of = attrgetter(*_RESULT_COLUMNS)  # dataclasses.asdict copies: most of a table's time
_PAUSE = 49  # times as long as the last writing took: a fiftieth of the time goes into tables


class Tables:
    """The tables of a study that runs: they follow it as closely as a little time allows."""

    def __init__(
        self,
        trials: Sequence[TrialRecord],
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write nothing yet.

        Args:
            trials: the study's own list, which grows.
            folder: of the study.
            clock: seconds that never go back.
        """
        self._trials = trials
        self._folder = folder
        self._clock = clock
        self._due = clock()

    def note(self) -> None:
        """Write the tables unless they were written just now; to be called at trials' ends."""
        if self._clock() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the tables."""
        started = self._clock()
        write_tables(self._trials, self._folder)
        ended = self._clock()
        self._due = ended + _PAUSE * (ended - started)


def write_tables(trials: Sequence[TrialRecord], folder: Path) -> None:
    """Write `trials.csv` and `epochs.csv` anew, each whole."""
    # All trials, because one that was interrupted while it was suggested has only some.
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    fixed = list(TRIAL_COLUMNS)
    columns = [*fixed[:_NUM_BEFORE_PARAMS], *params, *fixed[_NUM_BEFORE_PARAMS:]]
    write_csv(folder / "trials.csv", columns, (trial_row(t) for t in trials))
    epochs = ((t.id, *_numbers_of(e)) for t in trials for e in _epochs_of(t))
    rows = (dict(zip(_EPOCH_COLUMNS, row, strict=True)) for row in epochs)
    write_csv(folder / "epochs.csv", _EPOCH_COLUMNS, rows)


def trial_row(trial: TrialRecord) -> dict[str, object]:
    """Return a trial as a row of `trials.csv`."""
    epochs, last, host = _epochs_of(trial), trial.last, trial.host
    return {
        "trial": trial.id,
        "name": trial.name,
        "state": trial.state,
        "stop_reason": trial.stop_reason,
        **trial.params,
        "val_accuracy": last and last.val_accuracy,
        "val_accuracy_raw": last and last.val_accuracy_raw,
        "val_loss": last and last.val_loss,
        "epochs": len(epochs),
        "seconds": sum(e.seconds for e in epochs) if epochs else None,
        "images_per_second": _mean([e.images_per_second for e in epochs if e.images_per_second]),
        "seed": trial.seed,
        "attempts": trial.attempts,
        "error_kind": trial.error_kind,
        "error": trial.error,
        **(dataclasses.asdict(host) if host else {}),
    }


def read_trials(folder: Path) -> "pd.DataFrame":
    """Return `trials.csv`, a row a trial; see `results/README.md` for the columns.

    Args:
        folder: a study folder, such as `results/reg`.

    Raises:
        DataError: the folder holds no such table.
    """
    return _read(folder / "trials.csv", TRIAL_COLUMNS)


def read_epochs(folder: Path) -> "pd.DataFrame":
    """Return `epochs.csv`, a row a trial and epoch.

    Args:
        folder: a study folder, such as `results/reg`.

    Raises:
        DataError: the folder holds no such table.
    """
    dtypes = dict.fromkeys(_EPOCH_COLUMNS, "float64")
    return _read(folder / "epochs.csv", {**dtypes, "trial": "string", "epoch": "int64"})


def incumbent(trials: "pd.DataFrame") -> "pd.Series":
    """Return the row of the best trial at full budget.

    Raises:
        DataError: no trial is complete.
    """
    complete = trials[trials["state"] == "COMPLETE"]
    if complete.empty:
        raise DataError("trials.csv: no trial is complete", "let the study run on")
    return complete.sort_values("val_accuracy", ascending=False, kind="stable").iloc[0]


def _epochs_of(trial: TrialRecord) -> list[EpochResult]:
    return [trial.epochs[epoch] for epoch in sorted(trial.epochs)]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _read(path: Path, dtypes: dict[str, str]) -> "pd.DataFrame":
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{path}: no such table", "name a study folder, such as results/demo")
    # Empty numbers are missing; texts are what they say, though it be `nan` or nothing.
    numbers = {name: [""] for name, dtype in dtypes.items() if dtype != "string"}
    return pd.read_csv(
        path,
        dtype=dtypes,
        keep_default_na=False,
        na_values=numbers,
        lineterminator="\n",
    )
