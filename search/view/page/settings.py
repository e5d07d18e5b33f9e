"""Each hyperparameter against the result; trials without a final value stand in a strip below."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.view.page.document import Grid, Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import note
from search.view.page.marks import LOOKS, Look, describe_all, is_winner, marker
from search.view.page.units import units_of

_section = partial(Section, id="settings", title="Each setting against the result", link="Settings")
_STRIP = 0.1
"""Of a picture's height, for the trials that were stopped early or failed."""
_BELOW = ("PRUNED", "FAIL")
_BASELINE = Look("ink", "diamond", "baseline")
_BEST = Look("winner", "star", "winner")


def settings(snapshot: Snapshot) -> Section:
    """Return the section of the hyperparameters, one picture each."""
    if not any(trial.state == "COMPLETE" for trial in snapshot.trials):
        none = "No trial is complete yet, so there is no result to set them against."
        return _section(parts=[note(none)])
    told = (
        f"The {units_of(snapshot).name} of complete trials: a star the winner, a diamond the "
        "baseline."
    )
    if _unfinished(snapshot.trials):
        told += " Trials that were stopped early or failed have no final value: they stand below."
    labels = describe_all(snapshot.trials, units_of(snapshot))
    names = list(snapshot.config.space)
    figures = [_figure(snapshot, name, f"settings-{at}", labels) for at, name in enumerate(names)]
    return _section(parts=[note(told), Grid(figures)])


def _unfinished(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [trial for trial in trials if trial.shown_state in _BELOW]


def _figure(snapshot: Snapshot, name: str, identity: str, labels: Sequence[str]) -> Figure:
    units = units_of(snapshot)
    known = [trial for trial in snapshot.trials if name in trial.params]
    data = [*_complete(snapshot, name, known), *_below(name, known)]
    is_log = snapshot.config.space[name].log
    x = axis(label(name), type="log" if is_log else "linear", zeroline=False, anchor="y2")
    if is_log:
        x["dtick"] = 1  # else powers of ten share the axis with their halves
    has_strip = bool(_unfinished(known))
    y = axis("", tickformat=units.ticks, zeroline=False, domain=[_STRIP * 1.6 * has_strip, 1])
    strip = axis(
        "", domain=[0, _STRIP], range=[0, 1], tickvals=[0.5] if has_strip else [],
        ticktext=["stopped"], showgrid=False, zeroline=False, fixedrange=True,
    )  # fmt: skip
    return Figure(
        id=identity,
        title=f"{label(name)} against {units.name}",
        data=[trace for trace in data if trace["x"]],
        layout=layout(x, y, yaxis2=strip, showlegend=False, shapes=[_PANEL] * has_strip),
        height=300,
        labels=labels,
    )


_PANEL = {
    "type": "rect", "xref": "paper", "yref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": _STRIP,
    "fillcolor": colour("panel"), "line": {"width": 0}, "layer": "below",
}  # fmt: skip


def _complete(snapshot: Snapshot, name: str, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return the points of the trials that have a final value, baseline and winner apart."""
    whole = [trial for trial in trials if trial.state == "COMPLETE"]
    best = [trial for trial in whole if is_winner(trial, snapshot)]
    baseline = [trial for trial in whole if not trial.number and trial not in best]
    others = [trial for trial in whole if trial.number and trial not in best]
    return [
        {**_trace(name, own, look, size), "y": [trial.value for trial in own]}
        for own, look, size in ((others, LOOKS["COMPLETE"], 8), (baseline, _BASELINE, 9),
                                (best, _BEST, 14))
    ]  # fmt: skip


def _below(name: str, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return the points of the trials in the strip."""
    groups = [(state, [t for t in trials if t.shown_state == state]) for state in _BELOW]
    return [
        {**_trace(name, own, LOOKS[state], 9), "y": [0.5] * len(own), "yaxis": "y2"}
        for state, own in groups
    ]


def _trace(name: str, trials: Sequence[TrialRecord], look: Look, size: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": look.name,
        "x": [trial.params[name] for trial in trials],
        "customdata": [trial.number for trial in trials],
        "marker": marker(look, size),
        "hovertemplate": f"%{{text}}<br>{label(name)}: %{{x:.4g}}<extra></extra>",
    }
