"""Parallel coordinates in SVG: plotly.js has them in WebGL alone, whose code is made by `eval`."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from search.study.checks.wording import called
from search.study.records import TrialRecord
from search.study.sections import Domain
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.figure import Figure, axis, colour, label, layout, lines
from search.view.page.html import note
from search.view.page.marks import is_winner
from search.view.page.units import Units, setting, units_of

_section = partial(Section, id="parallel", title="All settings together", link="Together")

_BINS = ["lowest fifth", "second", "middle", "fourth", "highest fifth"]
_LEAST = 3
"""Complete trials that are worth the picture."""


def parallel(snapshot: Snapshot) -> Section:
    """Return the section of the parallel coordinates."""
    complete = [t for t in snapshot.trials if t.state == "COMPLETE" and t.value is not None]
    if len(complete) < _LEAST:
        none = f"Fewer than {_LEAST} trials are complete: too few to compare all settings at once."
        return _section(parts=[note(none)])
    told = (
        "Each line is a complete trial: its settings, each axis from the least to the most that "
        "was searched, and its value on the last. Grey ones were stopped early."
    )
    return _section(
        parts=[note(told), _figure(snapshot, complete)],
    )


def _figure(snapshot: Snapshot, complete: Sequence[TrialRecord]) -> Figure:
    units, space = units_of(snapshot), snapshot.config.space
    values = [trial.value for trial in complete if trial.value is not None]
    result = Domain(low=min(values), high=max(values))
    data = [_trace(snapshot, _stopped(snapshot), None, colour("faint"), "stopped early", 1)]
    ordered = sorted(complete, key=lambda trial: (trial.value or 0, -trial.number))
    cuts = [round(len(ordered) * k / len(_BINS)) for k in range(len(_BINS) + 1)]
    for at, (start, end) in enumerate(pairwise(cuts)):
        shade = colour(f"step-{at}")
        data.append(_trace(snapshot, ordered[start:end], result, shade, _BINS[at], 1.5))
    best = [trial for trial in complete if is_winner(trial, snapshot)]
    data.append(_trace(snapshot, best, result, colour("winner"), "winner", 3.5))
    axes = [*space.items(), ("", result)]
    x = axis("", tickvals=list(range(len(axes))), ticktext=[*map(label, space), "value"],
             range=[-0.3, len(axes) - 0.5], showgrid=True, zeroline=False)  # fmt: skip
    y = axis("", visible=False, range=[-0.12, 1.12])
    return Figure(
        id="parallel-all",
        title=f"Settings and values of {len(complete)} complete trials",
        data=[trace for trace in data if trace["x"]],
        layout=layout(x, y, annotations=_ends(axes, units)),
        height=460,
        labels=[_describe(trial, units) for trial in snapshot.trials],
    )


def _stopped(snapshot: Snapshot) -> list[TrialRecord]:
    return [t for t in snapshot.trials if t.shown_state == "PRUNED" and t.params]


def _trace(
    snapshot: Snapshot, trials: Sequence[TrialRecord], result: Domain | None,
    shade: dict[str, str], name: str, width: float,
) -> dict[str, Any]:  # fmt: skip
    """Return the lines of some trials as one trace; the last axis is theirs who have a result."""
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[int] = []
    for trial in trials:
        heights = [
            _height(domain, trial.params[key])
            for key, domain in snapshot.config.space.items()
            if key in trial.params
        ]
        if result is not None and trial.value is not None:
            heights.append(_height(result, trial.value))
        x += [*range(len(heights)), None]
        y += [*heights, None]
        numbers += [trial.number] * (len(heights) + 1)
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "customdata": numbers,
        "line": {"color": shade, "width": width}, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _height(domain: Domain, value: float) -> float:
    """Return where a value lies between the ends of its domain, [0, 1]."""
    scale = math.log if domain.log else float
    low, high = scale(domain.low), scale(domain.high)
    return (scale(value) - low) / (high - low) if high > low else 0.5


def _ends(axes: Sequence[tuple[str, Domain]], units: Units) -> list[dict[str, Any]]:
    """Return what stands at both ends of each axis."""
    made = []
    for at, (name, domain) in enumerate(axes):
        show = setting if name else units.value
        for height, value in ((0, domain.low), (1, domain.high)):
            text = show(value) + (" log" if domain.log and height else "")
            made.append(
                {"x": at, "y": height, "text": text, "showarrow": False,
                 "yshift": 12 if height else -12, "font": {"size": 11, "color": colour("dim")}}
            )  # fmt: skip
    return made


def _describe(trial: TrialRecord, units: Units) -> str:
    own = [label(f"{name}: {setting(value)}") for name, value in trial.params.items()]
    return lines(label(f"{called(trial)}: {units.value(trial.value)}"), *own)
