"""When which trial ran, and where: one row for each that ran at once on a node."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from search.study.checks.wording import count
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot, Span
from search.view.page.document import Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import note, tag
from search.view.page.marks import LOOKS, describe_all
from search.view.page.units import duration, units_of

_section = partial(Section, id="workers", title="Trials over workers", link="Workers")

_FRAME, _MOST = 110, 900  # pixels
Bounds = Mapping[int, tuple[datetime, datetime]]
"""Trial number to when it began and ended."""


def workers(snapshot: Snapshot) -> Section:
    """Return the section of the timeline."""
    bounds = bounds_of(snapshot.trials, snapshot.spans)
    if not bounds:
        none = note("No trial has run yet.")
        return _section(parts=[none])
    lanes = lanes_of(snapshot.trials, bounds)
    told = tag("p", _describe(snapshot, bounds, len(set(lanes.values()))), class_="note")
    return _section(parts=[told, _figure(snapshot, bounds, lanes)])


def bounds_of(trials: Sequence[TrialRecord], spans: Mapping[int, Span]) -> Bounds:
    """Return when trials ran; one that still runs, until the newest end or its epochs' seconds."""
    ends = [span.end for span in spans.values() if span.end is not None]
    newest = max(ends, default=None)
    found = {}
    for trial in trials:
        span = spans.get(trial.number)
        if span is None:
            continue
        trained = sum(each.seconds for each in trial.epochs.values())
        least = span.start + timedelta(seconds=trained)
        found[trial.number] = (span.start, span.end or max(least, newest or least))
    return found


def lanes_of(trials: Sequence[TrialRecord], bounds: Bounds) -> dict[int, tuple[str, int]]:
    """Return each trial's row: its node, and the first place there that was free."""
    free: dict[str, list[datetime]] = {}
    lanes: dict[int, tuple[str, int]] = {}
    for number in sorted(bounds, key=lambda number: bounds[number]):
        host = trials[number].host
        node = host.node if host else ""
        start, end = bounds[number]
        places = free.setdefault(node, [])
        place = next((k for k, until in enumerate(places) if until <= start), len(places))
        places[place : place + 1] = [end]
        lanes[number] = (node, place)
    return lanes


def _describe(snapshot: Snapshot, bounds: Bounds, num_lanes: int) -> str:
    start = min(begin for begin, _ in bounds.values())
    wall = (max(end for _, end in bounds.values()) - start).total_seconds()
    trained = sum(e.seconds for t in snapshot.trials for e in t.epochs.values())
    told = (
        f"{count(len(bounds), 'trial')} on {count(num_lanes, 'worker')}, from "
        f"{start:%Y-%m-%d %H:%M} on, the driver's own time, for {duration(wall)}."
    )
    if wall > 0:
        told += (
            f" Epochs fill {min(1.0, trained / (wall * num_lanes)):.0%} of that; the rest went "
            "into starts, checkpoints, pauses and interruptions, which lie within the bars."
        )
    return told


def _figure(snapshot: Snapshot, bounds: Bounds, lanes: dict[int, tuple[str, int]]) -> Figure:
    rows = sorted(set(lanes.values()))
    row = max(4, min(26, (_MOST - _FRAME) // len(rows)))
    names = [label(f"{node or 'unknown'} {place + 1}") for node, place in rows]
    shown = range(0, len(rows), 1 + 12 // row)
    y = axis(
        "", tickvals=list(shown), ticktext=[names[at] for at in shown],
        range=[len(rows) - 0.4, -0.6], showgrid=False, zeroline=False,
    )  # fmt: skip
    places = {lane: at for at, lane in enumerate(rows)}
    data = [_bars(snapshot.trials, state, bounds, lanes, places) for state in LOOKS]
    return Figure(
        id="workers-timeline",
        title=f"{len(bounds)} trials over {len(rows)} workers",
        data=[trace for trace in data if trace["y"]],
        layout=layout(axis("", type="date"), y, barmode="overlay"),
        height=_FRAME + row * len(rows),
        labels=describe_all(snapshot.trials, units_of(snapshot)),
    )


def _bars(
    trials: Sequence[TrialRecord], state: str, bounds: Bounds,
    lanes: Mapping[int, tuple[str, int]], places: Mapping[tuple[str, int], int],
) -> dict[str, Any]:  # fmt: skip
    look = LOOKS[state]
    own = [t.number for t in trials if t.shown_state == state and t.number in bounds]
    spans = [bounds[number] for number in own]
    return {
        "type": "bar", "orientation": "h", "name": look.name,
        "y": [places[lanes[number]] for number in own],
        "base": [f"{start:%Y-%m-%d %H:%M:%S}" for start, _ in spans],
        "x": [max(1, round((end - start).total_seconds())) * 1000 for start, end in spans],
        "customdata": own,
        "hovertext": [duration((end - start).total_seconds()) for start, end in spans],
        "hovertemplate": "%{text}<br>%{base|%H:%M}, for %{hovertext}<extra></extra>",
        "textposition": "none",
        "width": 0.76,
        "marker": {"color": colour(look.role), "line": {"color": colour("paper"), "width": 1}},
    }  # fmt: skip
