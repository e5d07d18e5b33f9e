"""A running study as a terminal of any width shows it: facts, then a line for each who works."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.study.progress import Progress
from search.study.records import TrialRecord
from search.study.stages import Stage, StageRun
from search.view.facts import (
    describe_best,
    describe_epochs,
    describe_finished,
    describe_runs,
    describe_speed,
    describe_states,
)

_GAP = 2  # columns between columns
_BAR, _LEAST_BAR = 24, 8
_DROPPED = ("node", "name", "images/s", "value")  # where there is no room, the first at first


@dataclass(frozen=True, slots=True)
class Fact:
    """One line with a title."""

    title: str
    texts: Sequence[str]
    """The same said ever shorter; the longest that fits is shown."""
    is_whole: bool = False
    """Whether it is folded where nothing fits, and not cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """Who works on what."""

    id: str
    name: str = ""
    done: int
    most: int
    """Epochs."""
    value: float | None
    """The last validation accuracy, else the last training loss."""
    images_per_second: float | None
    node: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """What a terminal shows, as wide as it is, and no longer."""

    facts: Sequence[Fact]
    bar: tuple[int, int]
    """Epochs done of all, of everything together."""
    workers: Sequence[Worker]
    is_cut: bool = True
    """Whether it keeps to the terminal's height."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it anew for the size of the moment."""
        width = options.max_width
        has_bars = console.is_terminal and not console.is_dumb_terminal
        facts = list(self._fact_lines(width, has_bar=has_bars))
        yield from facts
        if not self.workers:
            return
        used = sum(len(console.render_lines(fact, options)) for fact in facts)
        room = max(1, console.height - used - 2) if self.is_cut else len(self.workers)
        shown = self.workers[:room] if len(self.workers) > room else self.workers
        yield _lines(shown, width, has_bars=has_bars)
        if more := len(self.workers) - len(shown):
            yield Text(f"and {more} more", no_wrap=True, overflow="crop")

    def _fact_lines(self, width: int, *, has_bar: bool) -> Iterator[Table]:
        titles = max(len(fact.title) for fact in self.facts)
        for number, fact in enumerate(self.facts):
            room = width - titles - _GAP
            grid = Table.grid(padding=(0, _GAP, 0, 0))
            grid.add_column(width=titles)
            cells: list[RenderableType] = [Text(fact.title, no_wrap=True, overflow="crop")]
            if has_bar and number == 0 and room - _BAR - _GAP >= len(fact.texts[0]):
                cells.append(ProgressBar(*_part(self.bar), width=_BAR))
            text = next((text for text in fact.texts if len(text) <= room), fact.texts[-1])
            cells.append(Text(text, no_wrap=not fact.is_whole, overflow="fold"))
            grid.add_row(*cells)
            yield grid


def search_screen(progress: Progress, *, times: Sequence[str], is_cut: bool = True) -> Screen:
    """Return what is shown of a search.

    Args:
        progress: of the study.
        times: the time, said ever shorter.
        is_cut: see `Screen`.
    """
    finished = describe_finished(progress)
    states = f"{finished} trials{describe_states(progress)}"
    epochs = f"{progress.epochs_done}/{progress.epochs_most} epochs"
    last = [trial.last for trial in progress.running if trial.last]
    facts = [
        Fact("epochs", [describe_epochs(progress), epochs]),
        Fact("trials", [states, f"{finished} trials", finished]),
        best_of(progress),
        Fact("rungs", [progress.rungs], is_whole=True),
        Fact("budget", [progress.budget], is_whole=True),
        Fact("speed", [describe_speed(last)]),
        Fact("time", times),
    ]
    return Screen(
        facts=[fact for fact in facts if any(fact.texts)],
        bar=(progress.epochs_done, progress.epochs_most),
        workers=_of_trials(progress.running, progress.max_epochs),
        is_cut=is_cut,
    )


def stage_screen(
    stage: Stage, *, times: Sequence[str], whose: Fact | None = None, is_cut: bool = True
) -> Screen:
    """Return what is shown of a stage after the search; those who work stand first.

    Args:
        stage: at this moment.
        times: the time, said ever shorter.
        whose: what is known of the trial that it is about.
        is_cut: see `Screen`.
    """
    last = [run.last for run in stage.running if run.last]
    facts = [
        Fact(stage.name, [describe_runs(stage), f"{stage.num_done}/{len(stage.runs)} runs"]),
        *([whose] if whose else []),
        Fact("speed", [describe_speed(last)]),
        Fact("time", times),
    ]
    ended = [run for run in stage.runs if run.is_done]
    return Screen(
        facts=[fact for fact in facts if any(fact.texts)],
        bar=(stage.epochs_done, stage.epochs_most),
        workers=[_of_run(run) for run in [*stage.running, *ended]],
        is_cut=is_cut,
    )


def best_of(progress: Progress) -> Fact:
    """Return the incumbent and its gain."""
    return Fact("best", [describe_best(progress), describe_best(progress, is_short=True)])


def _of_trials(trials: Sequence[TrialRecord], max_epochs: int) -> list[Worker]:
    nodes = {trial.host.node for trial in trials if trial.host}
    return [
        Worker(
            id=trial.id,
            name=trial.name,
            done=len(trial.epochs),
            most=max_epochs,
            value=trial.value,
            images_per_second=trial.last.images_per_second if trial.last else None,
            node=trial.host.node if trial.host and len(nodes) > 1 else "",
        )
        for trial in trials
    ]


def _of_run(run: StageRun) -> Worker:
    last, value = run.last, None
    if last is not None:
        value = last.train_loss if last.val_accuracy is None else last.val_accuracy
    speed = last.images_per_second if last and not run.is_done else None
    return Worker(
        id=run.name, done=run.epochs_done, most=run.epochs, value=value, images_per_second=speed
    )


def _lines(workers: Sequence[Worker], width: int, *, has_bars: bool) -> Table:
    """Return a line for each worker: a column is dropped rather than folded."""
    columns = {
        "id": [worker.id for worker in workers],
        "epochs": [f"{worker.done}/{worker.most}" for worker in workers],
        "value": ["" if w.value is None else f"{w.value:.4f}" for w in workers],
        "images/s": [
            f"{w.images_per_second:,.0f} images/s" if w.images_per_second else "" for w in workers
        ],
        "name": [worker.name for worker in workers],
        "node": [worker.node for worker in workers],
    }
    columns = {name: texts for name, texts in columns.items() if any(texts)}
    for name in _DROPPED:
        if _width(columns) + _GAP + _LEAST_BAR > width:
            columns.pop(name, None)
    bar = min(_BAR, width - _width(columns) - _GAP) if has_bars else 0
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    for index, worker in enumerate(workers):
        cells: list[RenderableType] = [
            Text(texts[index], no_wrap=True, overflow="crop") for texts in columns.values()
        ]
        if bar >= _LEAST_BAR:
            cells.insert(1, ProgressBar(*_part((worker.done, worker.most)), width=bar))
        grid.add_row(*cells)
    return grid


def _width(columns: dict[str, list[str]]) -> int:
    """Return the terminal's columns that so many columns take."""
    return sum(max(map(len, texts)) for texts in columns.values()) + _GAP * (len(columns) - 1)


def _part(bar: tuple[int, int]) -> tuple[int, int]:
    """Return what a bar takes: its whole, and how much of that is done."""
    done, most = bar
    return max(1, most), done
