"""One live view of a running study; plain lines where stderr is no terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from search.study.ledger import Ledger
from search.study.progress import Progress, progress_of, seconds_left
from search.study.records import TrialRecord
from seresnet.epoch import EpochResult

_PLAIN_SECONDS = 30.0  # between two plain lines that only say that epochs go by


class View:
    """Shows the search and then the retraining; fed from the driver's thread alone."""

    def __init__(self, ledger: Ledger, console: Console) -> None:
        self._ledger = ledger
        self._console = console
        self._started = time.monotonic()
        self._progress = progress_of(ledger)
        self._epochs_before = self._progress.epochs_done
        self._stage = ""
        self._runs: dict[str, tuple[EpochResult, int]] = {}
        self._last_line = self._started

    @property
    def _is_live(self) -> bool:
        return self._console.is_terminal

    def trial_changed(self, trial: TrialRecord) -> None:
        """Take note of a trial's epoch or end."""
        self._progress = progress_of(self._ledger)
        if self._is_live:
            return
        if not trial.is_running:
            self._say(f"{describe_trial(trial)} | {self._summary()}")
        else:
            self._say_sometimes(self._summary())

    def trained(self, stage: str, name: str, result: EpochResult, epochs: int) -> None:
        """Take note of an epoch of one run of a stage after the search, such as the retraining."""
        if stage != self._stage:
            self._stage, self._runs = stage, {}
        self._runs[name] = (result, epochs)
        if not self._is_live:
            line = describe_run(stage, name, result, epochs)
            if result.epoch == epochs:
                self._say(line)
            else:
                self._say_sometimes(line)

    def __rich__(self) -> Group:
        bars = Table.grid(padding=(0, 2))
        if self._runs:
            for name, (result, epochs) in sorted(self._runs.items()):
                text = describe_run(self._stage, name, result, epochs)
                bars.add_row(_bar(result.epoch, epochs), text)
            return Group(bars)
        progress = self._progress
        clock = describe_time(progress, elapsed=self._elapsed, epochs_before=self._epochs_before)
        facts = Table.grid(padding=(0, 2))
        facts.add_row("epochs", _bar(progress.epochs_done, progress.epochs_most))
        facts.add_row("", describe_epochs(progress))
        facts.add_row("trials", describe_states(progress))
        facts.add_row("best", describe_best(progress))
        if progress.rungs:
            facts.add_row("rungs", progress.rungs)
        if progress.budget:
            facts.add_row("budget", progress.budget)
        facts.add_row("time", clock)
        for trial in progress.running:
            value = f"{trial.name} {describe_value(trial)}".strip()
            bars.add_row(trial.id, _bar(len(trial.epochs), progress.max_epochs), value)
        return Group(facts, bars)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _summary(self) -> str:
        return describe_progress(
            self._progress, elapsed=self._elapsed, epochs_before=self._epochs_before
        )

    def _say(self, line: str) -> None:
        self._last_line = time.monotonic()
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _say_sometimes(self, line: str) -> None:
        if time.monotonic() - self._last_line >= _PLAIN_SECONDS:
            self._say(line)


@contextmanager
def watch(ledger: Ledger) -> Iterator[View]:
    """Show a study on stderr while the block runs."""
    console = Console(stderr=True)
    view = View(ledger, console)
    if not console.is_terminal:
        yield view
        return
    with Live(get_renderable=view.__rich__, console=console, refresh_per_second=2):
        yield view


def describe_progress(progress: Progress, *, elapsed: float, epochs_before: int) -> str:
    """Return one line: trials by state, epochs, incumbent, gain, time."""
    parts = [
        describe_states(progress),
        describe_epochs(progress),
        f"best: {describe_best(progress)}",
        describe_time(progress, elapsed=elapsed, epochs_before=epochs_before),
    ]
    return ", ".join(parts)


def describe_states(progress: Progress) -> str:
    """Return the trials at their end, of all, and by state."""
    finished = sum(n for state, n in progress.states.items() if state not in ("RUNNING", "PAUSED"))
    states = ", ".join(f"{n} {state.lower()}" for state, n in sorted(progress.states.items()))
    return f"{finished}/{progress.num_trials} trials" + (f" ({states})" if states else "")


def describe_epochs(progress: Progress) -> str:
    """Return the epochs done, of the most there can be."""
    return f"{progress.epochs_done} of at most {progress.epochs_most} epochs"


def describe_best(progress: Progress) -> str:
    """Return the incumbent and its gain."""
    best = progress.incumbent
    if best is None or best.value is None:
        return "no full trial yet"
    gain = "" if progress.gain is None else f", {progress.gain:+.4f} over the baseline"
    return f"{best.id} {best.value:.4f}{gain}"


def describe_time(progress: Progress, *, elapsed: float, epochs_before: int) -> str:
    """Return the time since this start, and the most that the rest can take."""
    left = seconds_left(progress, elapsed=elapsed, epochs_before=epochs_before)
    rest = "" if left is None else f", at most {_clock(left)} left"
    return f"{_clock(elapsed)} elapsed{rest}"


def describe_trial(trial: TrialRecord) -> str:
    """Return one line on a finished trial."""
    name = f" {trial.name}" if trial.name else ""
    reason = trial.error or trial.stop_reason
    return f"{trial.id}{name} {trial.state} ({reason}) {describe_value(trial)}".rstrip()


def describe_run(stage: str, name: str, result: EpochResult, epochs: int) -> str:
    """Return one line on an epoch of a run after the search."""
    left = _clock(result.seconds * (epochs - result.epoch))
    what = f"train loss {result.train_loss:.3f}"
    if result.val_accuracy is not None:
        what = f"val_accuracy {result.val_accuracy:.4f}"
    return f"{stage} {name}: epoch {result.epoch}/{epochs}, {what}, about {left} left"


def describe_value(trial: TrialRecord) -> str:
    """Return a trial's last validation accuracy."""
    last = trial.last
    if last is None or last.val_accuracy is None:
        return ""
    return f"val_accuracy {last.val_accuracy:.4f} at epoch {last.epoch}"


def _bar(done: int, most: int) -> ProgressBar:
    return ProgressBar(total=max(1, most), completed=done, width=24)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
