"""The tables of a study, derived from it, for people and pandas."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.study.records import TRIAL_COLUMNS, TrialRecord
from seresnet.epoch import EpochResult
from seresnet.errors import DataError
from seresnet.files import write_csv

if TYPE_CHECKING:  # pandas takes half a second to import; writing tables does without
    import pandas as pd

    from search.study.ablation import Ablation

_NUM_BEFORE_PARAMS = 4
_RESULT_COLUMNS = [field.name for field in dataclasses.fields(EpochResult)]
_EPOCH_COLUMNS = ["trial", *_RESULT_COLUMNS]
RUN_COLUMNS = {
    "trial": "string",
    "name": "string",
    "seed": "int64",
    "epochs": "Int64",
    "val_accuracy": "float64",
    "val_accuracy_raw": "float64",
    "val_loss": "float64",
    "seconds": "float64",
    "error": "string",
    "device": "string",
    "dtype": "string",
    "threads": "Int64",
}
"""Columns of `confirm.csv` and their dtypes."""
EFFECT_COLUMNS = {
    "hyperparameter": "string",
    "value": "float64",
    "baseline": "float64",
    "mean": "float64",
    "loss": "float64",
    "at_least": "float64",
    "at_most": "float64",
    "is_needed": "boolean",
    "error": "string",
    "trial": "string",
    "epochs": "int64",
    "seeds": "int64",
}
"""Columns of `ablate.csv` and their dtypes."""
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


def write_runs(path: Path, runs: Sequence[Mapping[str, object]]) -> None:
    """Write `confirm.csv`: a row a configuration and seed.

    Args:
        path: of the table.
        runs: the metrics of each run with `trial`, `name` and `seed`, or these and an `error`.
    """
    renamed = {"epochs": "epoch", "seconds": "total_seconds"}  # metrics are of the last epoch
    rows = [{name: run.get(renamed.get(name, name)) for name in RUN_COLUMNS} for run in runs]
    write_csv(path, list(RUN_COLUMNS), rows)


def write_effects(path: Path, ablation: "Ablation") -> None:
    """Write `ablate.csv`: a row a hyperparameter of the winner that the baseline has otherwise."""
    whole = {"trial": ablation.trial, "epochs": ablation.epochs, "seeds": len(ablation.seeds)}
    known = [{**dataclasses.asdict(effect), **whole} for effect in ablation.effects]
    rows = [{name: row[name] for name in EFFECT_COLUMNS} for row in known]
    write_csv(path, list(EFFECT_COLUMNS), rows)


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


def read_tables(folder: Path, params: Sequence[str]) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return trials and epochs of a study's tables, seen to have what they are read for.

    Args:
        folder: a study folder.
        params: hyperparameters of its space.

    Raises:
        DataError: one cannot be read, lacks a column, or holds an epoch twice.
    """
    try:
        trials, epochs = read_trials(folder), read_epochs(folder)
    except ValueError as error:  # pandas: a text among numbers, or lines of unequal length
        anew = "any start of the study writes its tables anew"
        raise DataError(f"{folder}: its tables cannot be read: {error}", anew) from error
    needed = {"trials.csv": (trials, ["trial", "state", *params])}
    needed["epochs.csv"] = (epochs, ["trial", "epoch", "val_accuracy"])
    for name, (table, columns) in needed.items():
        for column in [column for column in columns if column not in table]:
            raise DataError(
                f"{folder / name}: {column}: no such column, but needed",
                f"name the study file of these tables, {folder / 'study.yaml'}",
            )
    if epochs.duplicated(["trial", "epoch"]).any():
        raise DataError(
            f"{folder / 'epochs.csv'}: holds an epoch of a trial twice",
            "any start of the study writes it anew",
        )
    return trials, epochs


def read_records(folder: Path, params: Sequence[str]) -> list[TrialRecord]:
    """Return a study's trials as its tables hold them, by number: what is compared, not the rest.

    Args:
        folder: a study folder.
        params: hyperparameters of its space.

    Raises:
        DataError: see `read_tables`; or a trial or an epoch is missing.
    """
    trials, epochs = read_tables(folder, params)
    by_trial = {name: rows.to_dict("records") for name, rows in epochs.groupby("trial")}
    records: list[TrialRecord] = []
    for row in trials.to_dict("records"):
        results = [EpochResult(**each) for each in _plain(by_trial.get(row["trial"], []))]
        record = TrialRecord(
            number=len(records), params={name: float(row[name]) for name in params},
            name=row["name"], state=row["state"], stop_reason=row["stop_reason"],
            epochs={each.epoch: each for each in results},
        )  # fmt: skip
        if row["trial"] != record.id or sorted(record.epochs) != [*range(1, len(results) + 1)]:
            raise DataError(
                f"{folder}: the tables lack a trial or an epoch before {row['trial']}'s last",
                "any start of the study writes its tables anew",
            )
        records.append(record)
    return records


def read_runs(folder: Path) -> "pd.DataFrame":
    """Return `confirm.csv`, a row a configuration and seed.

    Args:
        folder: a study folder, such as `results/reg`.

    Raises:
        DataError: the folder holds no such table.
    """
    return _read(folder / "confirm.csv", RUN_COLUMNS)


def read_effects(folder: Path) -> "pd.DataFrame":
    """Return `ablate.csv`, a row a hyperparameter.

    Args:
        folder: a study folder, such as `results/reg`.

    Raises:
        DataError: the folder holds no such table.
    """
    return _read(folder / "ablate.csv", EFFECT_COLUMNS)


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


def _plain(rows: "list[dict[Hashable, Any]]") -> Iterator[dict[str, Any]]:
    """Yield rows of `epochs.csv` as the numbers of an epoch's result, missing ones as None."""
    for row in rows:
        numbers = {name: row[name] for name in _RESULT_COLUMNS}
        yield {name: None if value != value else value for name, value in numbers.items()}


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
