"""Reads what stock Ray Tune has left, and compares it with its own uninterrupted run."""

import sqlite3
from collections import Counter
from pathlib import Path

from judge import read_table, times_trained
from kills import Progress


def read_progress(folder: Path) -> Progress:
    """Return the epochs trained so far, each counted once; when the search ends, so does all."""
    return Progress(len(times_trained(folder.parent / "failpoints.log")), is_searched=False)


def compare(
    folder: Path, reference: Path, *, is_finished: bool
) -> dict[str, int | float | bool | None]:
    """Return what a user would find at the end, against the uninterrupted run.

    Trials are told apart by their settings. `value lost` is how much less accurate the best
    trial is; `zombies` are trials that Optuna's study calls running for ever.
    """
    trials = read_table(folder / "trials.csv")
    whole = read_table(reference / "trials.csv")
    counts, wanted = (Counter(row["trial"] for row in rows) for rows in (trials, whole))
    ends = [_columns(rows, "trial", "state", "epochs") for rows in (trials, whole)]
    values = [
        _columns(rows, "trial", "state", "epochs", "val_accuracy") for rows in (trials, whole)
    ]
    reported = _columns(read_table(folder / "epochs.csv"), "trial", "epoch")
    return {
        "finished": is_finished,
        "trials": len(trials),
        "lost": len(set(wanted) - set(counts)),
        "doubled": counts.total() - len(counts),
        "reported twice": reported.total() - len(reported),
        "failed": sum(row["state"] == "FAIL" for row in trials),
        "stopped elsewhere": len({key for key, *_ in ends[0] - ends[1] if key in wanted}),
        "same as uninterrupted": values[0] == values[1],
        "same best": _text(folder / "best.txt") == _text(reference / "best.txt"),
        "value lost": _best_value(reference) - _best_value(folder),
        "zombies": _num_running(folder / "study.db"),
    }


def _columns(rows: list[dict[str, str]], *names: str) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[name] for name in names) for row in rows)


def _best_value(folder: Path) -> float:
    best = _text(folder / "best.txt")
    rows = [row for row in read_table(folder / "trials.csv") if row["trial"] == best]
    return float(rows[0]["val_accuracy"]) if rows else 0.0


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _num_running(database: Path) -> int | None:
    """Return how many trials the study still calls running, though nobody runs them."""
    if not database.is_file():
        return None
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM trials WHERE state = 'RUNNING'"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()
