"""One start of a command, killed with -9 at a drawn moment, and the drawing of such moments."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTUP, TRAINING, RETRAINING = "start-up", "training", "retraining"

_POLL_SECONDS = 0.1
_HANGING_SECONDS = 300  # of one start; Ray alone may need a minute on a loaded machine


@dataclass(frozen=True)
class Progress:
    """What a run has stored by now."""

    num_epochs: int
    is_searched: bool
    """Whether every trial is at its end."""


@dataclass(frozen=True)
class Moment:
    """When a start is to be killed."""

    phase: str
    delay: float
    """Seconds after the phase, or in training the last awaited epoch, has begun."""
    num_epochs: int = 0
    """Epochs that must have been stored in this start first."""


@dataclass(frozen=True)
class Outcome:
    """How a start ended."""

    exit_code: int | None
    """None where it was killed."""
    phase: str
    """In which it was killed."""
    first_epoch_after: float
    """Seconds from the start to the first epoch it stored."""
    tail: float
    """Seconds from the search's end, if it was seen in this start, to the end of the process."""


@dataclass(frozen=True)
class Command:
    """What is started again and again, and how its progress is read."""

    arguments: list[str]
    scratch: Path
    """Holds the log of failpoints, the output, and whatever killed processes leave."""
    probe: Callable[[], Progress | None]
    """Reads the progress; None where it cannot be read at this moment."""

    @property
    def failpoints(self) -> Path:
        """The log of the places that were passed."""
        return self.scratch / "failpoints.log"

    @property
    def output(self) -> Path:
        """What the command wrote to stdout and stderr, all starts in a row."""
        return self.scratch / "output.txt"


def draw_phases(rng: random.Random, *, num_training: int | None, is_retrained: bool) -> list[str]:
    """Return the phases in which a round's starts are killed, in order.

    Args:
        rng: the round's own.
        num_training: kills in training, beside one in the start-up; none draws both numbers.
        is_retrained: whether the command retrains a winner.
    """
    num_startup = 1
    if num_training is None:
        num_training, num_startup = rng.randint(4, 5), rng.randint(1, 2)
    phases = [STARTUP] * num_startup + [TRAINING] * num_training
    rng.shuffle(phases)
    return [*phases, RETRAINING] if is_retrained else phases


def draw_moment(
    rng: random.Random, phases: list[str], stored: Progress, total: int, timing: Outcome
) -> Moment:
    """Return the moment of the next kill.

    Args:
        rng: the round's own.
        phases: of this kill and those still to come.
        stored: so far.
        total: epochs that the uninterrupted run stored.
        timing: of the uninterrupted run.
    """
    if stored.is_searched:
        return Moment(RETRAINING, rng.uniform(0, timing.first_epoch_after + timing.tail))
    if phases[0] == STARTUP:
        # The first epoch is in it: a later start that is a little faster is still starting up.
        return Moment(STARTUP, rng.uniform(0, 0.8 * timing.first_epoch_after))
    if phases[0] == RETRAINING:
        return Moment(RETRAINING, rng.uniform(0, timing.tail))
    # Kills land all over, and epochs are left for those to come: a second lets about two pass.
    share = (total - stored.num_epochs) // phases.count(TRAINING) - 2
    return Moment(TRAINING, rng.uniform(0, 1), rng.randint(1, max(1, share)))


def phases_left(phases: list[str], came_in: str) -> list[str]:
    """Return the phases still to come after a kill.

    A start may be faster than those before it: a kill meant for its start-up then came in training,
    counts as such, and the start-up is tried again.
    """
    left = list(phases)
    if came_in in left:
        left.remove(came_in)
    elif (left[0], came_in) != (STARTUP, TRAINING):
        left.pop(0)
    return left


def run_start(command: Command, before: Progress, moment: Moment | None) -> Outcome:
    """Start the command; kill its process alone, if it is not over before the moment comes.

    What it has started lives on for seconds, as after any `kill -9`: that is part of the test.

    Raises:
        TimeoutError: neither ended nor came to the moment in five minutes.
    """
    began = time.monotonic()
    first_epoch = searched = due = None
    now_stored = before
    if moment and (moment.phase == STARTUP or before.is_searched):
        due = began + moment.delay
    with command.output.open("ab") as output:
        process = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(command),
            cwd=ROOT,
        )
    try:
        while process.poll() is None:
            now_stored = command.probe() or now_stored
            now = time.monotonic()
            num_new = now_stored.num_epochs - before.num_epochs
            if first_epoch is None and num_new > 0:
                first_epoch = now
            if searched is None and now_stored.is_searched and not before.is_searched:
                searched = now
            if due is None and moment and _is_reached(moment, num_new, now_stored):
                due = now + moment.delay
            if due is not None and now >= due:
                break
            if now - began > _HANGING_SECONDS:
                raise TimeoutError(f"hangs; its output: {command.output}")
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()
        exit_code = process.wait()
    ended = time.monotonic()
    is_killed = exit_code == -9
    return Outcome(
        exit_code=None if is_killed else exit_code,
        phase=_phase(before, now_stored),
        first_epoch_after=(first_epoch or ended) - began,
        tail=ended - (searched or ended),
    )


def _is_reached(moment: Moment, num_new: int, stored: Progress) -> bool:
    if moment.phase == TRAINING:
        return stored.is_searched or num_new >= moment.num_epochs
    return stored.is_searched


def _phase(before: Progress, stored: Progress) -> str:
    """Return the phase by what was stored: the moment that was drawn may have passed unseen."""
    if stored.is_searched:
        return RETRAINING
    return TRAINING if stored.num_epochs > before.num_epochs else STARTUP


def _environment(command: Command) -> dict[str, str]:
    """Return an environment in which everything left behind lies in the scratch folder."""
    temporary = command.scratch / "tmp"
    temporary.mkdir(exist_ok=True)
    ours = ("SEARCH_FAILPOINT", "SEARCH_STORAGE_URL")  # neither other kills nor another database
    return {
        **{name: value for name, value in os.environ.items() if name not in ours},
        "PYTHONPATH": str(ROOT),
        "SEARCH_FAILPOINT_LOG": str(command.failpoints),
        "TMPDIR": str(temporary),
        "RAY_TMPDIR": str(temporary),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def python(*arguments: str | Path) -> list[str]:
    """Return a command line for this interpreter."""
    return [sys.executable, *(str(each) for each in arguments)]
