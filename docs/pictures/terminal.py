"""What a terminal showed in mid-search: a recorded study, played into the live view, as SVG."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from optuna.storages import InMemoryStorage
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from search.study.events import Event, history
from search.study.folder import StudyFolder
from search.study.header import load_study
from search.study.ledger import Ledger
from search.study.progress import progress_of, seconds_left
from search.study.reading import read
from search.study.snapshot import Snapshot, take_snapshot
from search.view.facts import clock, describe_times
from search.view.screen import search_screen
from seresnet.epoch import EpochResult

_COLUMNS = 88
# rich's own template fetches its font from another site; a picture asks nobody.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>A search in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def terminal_of(folder: StudyFolder, *, trial: int, epoch: int) -> str:
    """Return an SVG of the live view as it was when a trial had reported an epoch.

    Args:
        folder: of a study that was searched by one start.
        trial: its number.
        epoch: from 1.
    """
    snapshot = take_snapshot(folder)
    twin = _played(snapshot, _until(_events(folder), trial, epoch))
    now = _moment(snapshot, trial, epoch)
    elapsed = (now - snapshot.spans[0].start).total_seconds()
    progress = progress_of(twin)
    left = seconds_left(progress, elapsed=elapsed, epochs_before=0)
    times = describe_times(f"{clock(elapsed)} elapsed", left, now=now, is_bound=True)
    command = json.loads(folder.provenance.read_text())["starts"][0]["command"]
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(search_screen(progress, times=times))
    return console.export_svg(
        title=snapshot.name, theme=DIMMED_MONOKAI, code_format=_SVG, unique_id="terminal"
    )


def _events(folder: StudyFolder) -> Sequence[Event]:
    """Return all that happened in a study, in its order."""
    with read(folder, None) as (storage, name):
        return history(load_study(storage, name).get_trials(deepcopy=False))


def _until(events: Sequence[Event], trial: int, epoch: int) -> Iterator[Event]:
    for event in events:
        yield event
        if (event.number, event.epoch) == (trial, epoch):
            return


def _moment(snapshot: Snapshot, trial: int, epoch: int) -> datetime:
    """Return when a trial had reported an epoch, by its start and its epochs' seconds."""
    results = snapshot.trials[trial].epochs
    seconds = sum(results[each].seconds for each in range(1, epoch + 1))
    return snapshot.spans[trial].start + timedelta(seconds=seconds)


def _played(snapshot: Snapshot, events: Iterator[Event]) -> Ledger:
    """Return a study in memory in which the same has happened."""
    twin = Ledger.open(InMemoryStorage(), snapshot.config)
    attempts: dict[int, int] = {}
    for event in events:
        made = snapshot.trials[event.number]
        if event.kind == "ask":
            twin.rules.told[event.number] = made.params
            suggestion = twin.suggest()
            assert suggestion is not None
            attempts[suggestion.number] = suggestion.attempt
        elif event.kind == "epoch":
            assert made.host is not None
            result = EpochResult(**event.content)
            twin.report(event.number, result, made.host, attempt=attempts[event.number])
    return twin
