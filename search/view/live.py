"""One live view of a running study; plain lines where stderr cannot be drawn on."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.live import Live

from search.study.ledger import Ledger
from search.study.progress import progress_of, seconds_left
from search.study.records import TrialRecord
from search.study.stages import CONFIRM, Stage
from search.view.facts import (
    clock,
    describe_progress,
    describe_run,
    describe_runs,
    describe_times,
    describe_trial,
)
from search.view.screen import Screen, best_of, search_screen, stage_screen
from seresnet.epoch import EpochResult

_PLAIN_SECONDS = 30.0  # between two plain lines that only say that epochs go by


class View:
    """Shows the search and then each stage; fed from the driver's thread alone.

    Another thread draws it: what changes is replaced whole.
    """

    def __init__(self, ledger: Ledger, console: Console) -> None:
        self._ledger = ledger
        self._console = console
        self._started = time.monotonic()
        self._progress = progress_of(ledger)
        self._epochs_before = self._progress.epochs_done
        self._stage: Stage | None = None
        self._last_line = self._started

    @property
    def is_live(self) -> bool:
        """Whether it is drawn, and drawn again, in place of lines."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def trial_changed(self, trial: TrialRecord) -> None:
        """Take note of a trial's epoch or end."""
        self._progress, self._stage = progress_of(self._ledger), None
        if self.is_live:
            return
        if not trial.is_running:
            self._say(f"{describe_trial(trial)} | {self._summary()}")
        else:
            self._say_sometimes(self._summary())

    def begins(
        self, stage: str, epochs: Mapping[str, int], done: Collection[str], at_once: int
    ) -> None:
        """Take note of the runs of a stage after the search, such as the retraining.

        Args:
            stage: its name.
            epochs: name of each run to the epochs that it is to have.
            done: names of those that are at their end already.
            at_once: runs that are trained side by side.
        """
        self._stage = self._in_stage(stage).begun(epochs, done, at_once)
        self._say(f"{stage}: {describe_runs(self._stage)}")

    def trained(self, stage: str, name: str, result: EpochResult, epochs: int) -> None:
        """Take note of an epoch of one run of a stage."""
        self._stage = self._in_stage(stage).trained(name, result, epochs)
        if self.is_live:
            return
        line = f"{describe_run(stage, name, result, epochs)} | {self._stage_summary(self._stage)}"
        if result.epoch == epochs:
            self._say(line)
        else:
            self._say_sometimes(line)

    def diverged(self, stage: str, name: str) -> None:
        """Take note of a run that ended without a model."""
        self._stage = self._in_stage(stage).ended(name)
        self._say(f"{stage} {name}: diverged | {self._stage_summary(self._stage)}")

    def __rich__(self) -> Screen:
        if (stage := self._stage) is not None:
            # Later stages are about the confirmation's winner, who may be another.
            whose = best_of(self._progress) if stage.name == CONFIRM else None
            times = self._times(stage.seconds_left, is_bound=False)
            return stage_screen(stage, times=times, whose=whose)
        left = seconds_left(
            self._progress, elapsed=self._elapsed, epochs_before=self._epochs_before
        )
        return search_screen(self._progress, times=self._times(left, is_bound=True))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _in_stage(self, name: str) -> Stage:
        """Return a stage as far as it is known: a new one where another was shown."""
        is_same = self._stage is not None and self._stage.name == name
        return self._stage if self._stage is not None and is_same else Stage(name, ())

    def _times(self, left: float | None, *, is_bound: bool) -> list[str]:
        now = datetime.fromtimestamp(time.time())
        return describe_times(f"{clock(self._elapsed)} elapsed", left, now=now, is_bound=is_bound)

    def _summary(self) -> str:
        return describe_progress(
            self._progress,
            elapsed=self._elapsed,
            epochs_before=self._epochs_before,
            now=datetime.fromtimestamp(time.time()),
        )

    def _stage_summary(self, stage: Stage) -> str:
        return f"{describe_runs(stage)}, {self._times(stage.seconds_left, is_bound=False)[0]}"

    def _say(self, line: str) -> None:
        if not self.is_live:
            self._last_line = time.monotonic()
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _say_sometimes(self, line: str) -> None:
        if time.monotonic() - self._last_line >= _PLAIN_SECONDS:
            self._say(line)


class _Live(Live):
    """Draws on an empty screen after a change of its width.

    What was drawn before has been folded by then, by the terminal and in its own way: nobody knows
    over how many lines.
    """

    _width = 0

    def refresh(self) -> None:
        """Draw the view again."""
        with self._lock:
            width, before = self.console.width, self._width
            self._width = width
            if before not in (0, width):
                self.console.clear()
            super().refresh()


@contextmanager
def watch(ledger: Ledger) -> Iterator[View]:
    """Show a study on stderr while the block runs."""
    console = Console(stderr=True)
    view = View(ledger, console)
    if not view.is_live:
        yield view
        return
    with _Live(get_renderable=view.__rich__, console=console, refresh_per_second=2):
        yield view
