"""The tables of a study, derived from it, for people and pandas."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search.study.records import TRIAL_COLUMNS, TrialRecord
from seresnet.epoch import EpochResult
from seresnet.errors import DataError
from seresnet.files import write_csv

if TYPE_CHECKING:  # pandas takes half a second to import; writing tables does without
    import pandas as pd

_NUM_BEFORE_PARAMS = 4
_EPOCH_COLUMNS = ["trial", *(field.name for field in dataclasses.fields(EpochResult))]


def write_tables(trials: Sequence[TrialRecord], folder: Path) -> None:
    """Write `trials.csv` and `epochs.csv` anew, each whole."""
    # All trials, because one that was interrupted while it was suggested has only some.
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    fixed = list(TRIAL_COLUMNS)
    columns = [*fixed[:_NUM_BEFORE_PARAMS], *params, *fixed[_NUM_BEFORE_PARAMS:]]
    write_csv(folder / "trials.csv", columns, (trial_row(t) for t in trials))
    rows = ({"trial": t.id, **dataclasses.asdict(e)} for t in trials for e in _epochs_of(t))
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
        "images_per_second": _mean([e.images_per_second for e in epochs]),
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
