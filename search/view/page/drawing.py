"""The page at the end of a command: drawn in a process of its own, which cannot spoil anything."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from search import cli

_SECONDS = 300.0
"""Given to it; a page of 1,000 trials takes a few."""


def draw(folder: Path, storage: str | None) -> None:
    """Write the page of a study that is safe by now: no end of it, however bad, ends the command.

    What it may do wrong is unknown: a bug, memory, a full disk.

    Args:
        folder: of the study.
        storage: the value of `--storage`; it holds no password.
    """
    asked = ["--study", str(folder), *(["--storage", storage] if storage is not None else [])]
    command = [sys.executable, "-m", "search.report", *asked]
    # Tests count and kill at the command's own places; the page's replay would pass some of them.
    around = {k: v for k, v in os.environ.items() if not k.startswith("SEARCH_FAILPOINT")}
    try:
        drawn = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, env=around
        )
        problem = _told(drawn.stderr) if drawn.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        again = shlex.join(["python", *command[1:]])
        cli.note(f"report.html could not be written ({problem}); to try again: {again}")


def _told(stderr: str) -> str:
    """Return what a command complained of: its error, or the last line of its traceback."""
    lines = stderr.strip().splitlines() or ["it ended without a word"]
    return next((line for line in lines if line.startswith("error: ")), lines[-1])
