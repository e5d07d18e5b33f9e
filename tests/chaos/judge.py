"""Reads a study as it lies on disk, and says which promises it breaks."""

import csv
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kills import Progress

FINISHED = ("COMPLETE", "PRUNED", "FAIL")
PROMISES = (
    "trials lost",
    "trials doubled",
    "epochs reported twice",
    "finished trials changed",
    "progress lost",
    "saved epochs trained again",
    "differences from the uninterrupted run",
    "starts that failed",
)
"""What is counted; each must be 0."""

# Why an epoch may be trained again.
NOT_SAVED = "killed between the epoch's end and its checkpoint"
REFUSED = "its worker outlived the kill, and the fence of the next start refused its checkpoint"
SAVED_LATE = "saved by the killed start's worker when the next start had begun"
SAVED = "trained again although its checkpoint was saved"

# Wall-clock times and machines differ between two runs of one study, attempts are counted kills.
_MAY_DIFFER = {"seconds", "images_per_second", "attempts", "node"}
_VALUES = """SELECT number, step FROM trial_intermediate_values JOIN trials USING (trial_id)"""
_EVENTS = """SELECT number, key, value_json FROM trial_user_attributes JOIN trials USING (trial_id)
    WHERE key IN ('ask', 'end') OR key LIKE 'epoch:%'"""
Broken = tuple[str, str]
"""A promise, and what breaks it."""


@dataclass(frozen=True)
class StoredTrial:
    """One trial as the database holds it."""

    state: str
    params: dict[str, float] = field(default_factory=dict)
    epochs: dict[int, float] = field(default_factory=dict)
    values: tuple[float, ...] = ()


Study = dict[int, StoredTrial]
"""By number."""


def read_progress(database: Path, num_trials: int) -> Progress | None:
    """Return what a running study has stored; None where it cannot be read at this moment."""
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)
        try:
            epochs = connection.execute("SELECT count(*) FROM trial_intermediate_values")
            ended = connection.execute(
                "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
            )
            return Progress(epochs.fetchone()[0], ended.fetchone()[0] >= num_trials)
        finally:
            connection.close()
    except sqlite3.Error:  # not made yet, or locked, or a killed writer's journal waits
        return None


def read_study(database: Path) -> Study:
    """Return the study, read from a copy: nobody but the command itself repairs the original."""
    if not database.exists():
        return {}
    with _copy(database) as connection:
        try:
            return dict(_stored_trials(connection))
        except sqlite3.OperationalError:  # killed before the tables were made
            return {}


@contextmanager
def _copy(database: Path) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory() as scratch:
        for suffix in ("", "-journal", "-wal"):  # what a killed writer leaves beside it
            path = database.with_name(database.name + suffix)
            if path.exists():
                shutil.copy(path, scratch)
        connection = sqlite3.connect(Path(scratch) / database.name)
        try:
            yield connection
        finally:
            connection.close()


def _stored_trials(connection: sqlite3.Connection) -> Iterator[tuple[int, StoredTrial]]:
    def pairs(columns: str, table: str, trial: int) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE trial_id = ?"
        return connection.execute(query, (trial,)).fetchall()

    rows = connection.execute("SELECT trial_id, number, state FROM trials ORDER BY number")
    for trial, number, state in rows.fetchall():
        yield (
            number,
            StoredTrial(
                state,
                dict(pairs("param_name, param_value", "trial_params", trial)),
                dict(pairs("step, intermediate_value", "trial_intermediate_values", trial)),
                tuple(value for (value,) in pairs("value", "trial_values", trial)),
            ),
        )


def progress_of(study: Study, num_trials: int) -> Progress:
    """Return what a study holds that nobody writes to now."""
    ended = sum(trial.state in FINISHED for trial in study.values())
    return Progress(sum(len(trial.epochs) for trial in study.values()), ended >= num_trials)


def check_kill(before: Study, now: Study, reference: Study) -> list[Broken]:
    """Return what a kill has broken.

    Args:
        before: the study after the last kill.
        now: the study after this one.
        reference: the finished study of the uninterrupted run.
    """
    broken = [("trials lost", f"trial {number}") for number in sorted(set(before) - set(now))]
    if sorted(now) != list(range(len(now))):
        broken.append(("trials lost", f"gaps in {sorted(now)}"))
    broken += [("trials doubled", text) for text in _twins(now) - _twins(reference)]
    for number, trial in now.items():
        old = before.get(number, StoredTrial("WAITING"))
        if old.state in FINISHED and trial != old:
            broken.append(("finished trials changed", f"trial {number}: {old} became {trial}"))
        if not old.epochs.items() <= trial.epochs.items():
            broken.append(("progress lost", f"trial {number}: {old.epochs} became {trial.epochs}"))
        if number not in reference or _differs(trial, reference[number]):
            text = f"trial {number}: {trial}, not {reference.get(number)}"
            broken.append(("differences from the uninterrupted run", text))
    return broken


def _twins(study: Study) -> Counter[str]:
    """Return the settings that several trials share, each as often as it is one too many."""
    whole = max((len(trial.params) for trial in study.values()), default=0)
    settings = Counter(
        str(sorted(trial.params.items()))
        for trial in study.values()
        if trial.params and len(trial.params) == whole
    )
    return settings - Counter(set(settings))


def _differs(trial: StoredTrial, reference: StoredTrial) -> bool:
    """Return whether a trial that may not be at its end is on another way than the reference's."""
    is_behind = (
        trial.params.items() <= reference.params.items()
        and trial.epochs.items() <= reference.epochs.items()
    )
    return not is_behind or (trial.state in FINISHED and trial != reference)


def check_repeats(database: Path, failpoints: Path) -> list[Broken]:
    """Return where an epoch's value was stored more than once.

    The tables cannot show it, and Optuna keeps one row a trial and epoch: an epoch that is reported
    again overwrites its event, whose old number is then missing in the study's history.

    Args:
        database: nobody writes to it now.
        failpoints: the log, with a line for each value that was stored.
    """
    if not database.exists():
        return []
    with _copy(database) as connection:
        try:
            values = Counter(connection.execute(_VALUES).fetchall())
            attributes = connection.execute(_EVENTS).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return []
    found = [f"trial {trial}, epoch {epoch}" for (trial, epoch), n in values.items() if n > 1]
    # Without its value an epoch does not count yet: a kill came between the two.
    events = sorted(
        json.loads(content)["seq"]
        for trial, name, content in attributes
        if not name.startswith("epoch:") or (trial, int(name[6:])) in values
    )
    wrong = [place for place, seq in enumerate(events, start=1) if seq != place]
    if wrong:
        found.append(f"event {wrong[0]} is missing, or one before it stands twice")
    stored = Counter(f"t{trial:04d}" for trial, _ in values)
    for trial, count in _passed(failpoints, "after-value").items():
        if count > stored[trial]:
            found.append(f"{trial}: {count} values were stored for {stored[trial]} epochs")
    return [("epochs reported twice", text) for text in found]


def _passed(failpoints: Path, place: str) -> Counter[str]:
    """Return how often a place was passed, by what was written there."""
    return Counter(line[1] for line in _log_lines(failpoints) if line[0] == place)


def _log_lines(failpoints: Path) -> list[list[str]]:
    text = failpoints.read_text() if failpoints.exists() else ""
    return [line.split() for line in text.splitlines()]


def check_end(folder: Path, reference: Path, *, is_retrained: bool) -> list[Broken]:
    """Return where the files of a finished study differ from those of the uninterrupted run."""
    found = []
    for name in ("trials.csv", "epochs.csv"):
        ours, theirs = read_table(folder / name), read_table(reference / name)
        if len(ours) != len(theirs):
            found.append(f"{name}: {len(ours)} rows, not {len(theirs)}")
        for row, other in zip(ours, theirs, strict=False):
            keys = [k for k in {**row, **other} if row.get(k) != other.get(k)]
            if set(keys) - _MAY_DIFFER:
                found.append(f"{name}: {row}, not {other}")
    if is_retrained:
        paths = [each / "submission.csv" for each in (folder, reference)]
        if not all(p.is_file() for p in paths) or paths[0].read_bytes() != paths[1].read_bytes():
            found.append("submission.csv: other bytes, or none")
    return [("differences from the uninterrupted run", text) for text in found]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none where there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trained_again(failpoints: Path) -> Counter[str]:
    """Return how many epochs were trained to their end again, by reason.

    An epoch that was begun and never ended leaves no line: nothing is said of it.
    """
    lines = _log_lines(failpoints)
    last: dict[tuple[str, str], int] = {}
    reasons: Counter[str] = Counter()
    for position, line in enumerate(lines):
        if line[0] == "epoch-trained":
            epoch = (line[1], line[2])
            if epoch in last:
                reasons[_reason(lines, last[epoch], position)] += 1
            last[epoch] = position
    return reasons


def check_trained_again(again: Counter[str]) -> list[Broken]:
    """Return what is no fate of a kill: epochs trained again that lay on disk, one by one."""
    return [("saved epochs trained again", SAVED)] * again[SAVED]


def _reason(lines: list[list[str]], first: int, again: int) -> str:
    """Return why an epoch that ended at one line of the log was trained again at another."""
    process, successor = lines[first][-1], lines[again][-1]
    # A process trains one epoch after the other: its next word says what became of this one.
    places = ("epoch-trained", "after-checkpoint")
    words = [k for k in range(first + 1, len(lines)) if lines[k][-1] == process]
    saved = next((k for k in words if lines[k][0] in places), None)
    if saved is None or lines[saved][0] == "epoch-trained":
        # Between the staged file and the next word stands the fence, and nothing else.
        last = lines[words[-1] if words and saved is None else first]
        return REFUSED if last[0] == "after-rename" and ".staged" in last[1] else NOT_SAVED
    if saved > again or any(line[-1] == successor for line in lines[first:saved]):
        return SAVED_LATE
    return SAVED


def times_trained(failpoints: Path) -> Counter[tuple[str, str]]:
    """Return how often each epoch of each trial was trained to its end."""
    lines = _log_lines(failpoints)
    return Counter((line[1], line[2]) for line in lines if line[0] == "epoch-trained")
