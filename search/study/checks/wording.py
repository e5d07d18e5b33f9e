"""How cards and pages say things: accuracies in percent, commands that can be typed."""

from pathlib import Path

from search.study.records import TrialRecord
from search.study.snapshot import Snapshot


def percent(fraction: float) -> str:
    """Return an accuracy as text, such as `68.80%`."""
    return f"{100 * fraction:.2f}%"


def count(number: int, one: str) -> str:
    """Return so many of something, such as `1 trial` or `3 trials`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def called(trial: TrialRecord) -> str:
    """Return a trial's name, such as `t0001 (plain)` of a recipe's."""
    return f"{trial.id} ({trial.name})" if trial.name else trial.id


def command(snapshot: Snapshot, name: str, flags: str = "") -> str:
    """Return what is typed to run a command on the study.

    A study folder may be moved, so no absolute path is said: of one, the last two parts.
    """
    path = snapshot.folder.path
    if path.is_absolute():
        path = Path(path.parent.name) / path.name
    return f"python -m search.{name} --study {path}" + (f" {flags}" if flags else "")
