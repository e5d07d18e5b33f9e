"""Each hyperparameter against the result; trials that were stopped stand on the lower edge."""

from collections.abc import Sequence
from typing import Any

from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.view.page.document import Grid, Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import tag
from search.view.page.looks import LOOKS, Look, describe_all, marker
from search.view.page.units import Units, setting, units_of

_TITLE = "Each setting against the result"


def settings(snapshot: Snapshot) -> Section:
    """Return the section of the hyperparameters, one picture each."""
    values = [t.value for t in _complete(snapshot) if t.value is not None]
    if not values:
        none = "No trial is complete yet, so there is no result to set them against."
        return Section(id="settings", title=_TITLE, parts=[tag("p", none, class_="note")])
    told = "Complete trials by their value."
    if any(trial.state in ("PRUNED", "FAIL") for trial in snapshot.trials):
        told += " Those that were stopped early or failed have no final value: they stand below."
    span = max(values) - min(values) or 0.01
    edge = min(values) - 0.14 * span
    limits = [edge - 0.06 * span, max(values) + 0.08 * span]
    figures = [
        _figure(snapshot, name, at, edge, limits) for at, name in enumerate(snapshot.config.space)
    ]
    return Section(
        id="settings", title=_TITLE, parts=[tag("p", told, class_="note"), Grid(figures)]
    )


def _complete(snapshot: Snapshot) -> list[TrialRecord]:
    return [trial for trial in snapshot.trials if trial.state == "COMPLETE"]


def _figure(snapshot: Snapshot, name: str, at: int, edge: float, limits: Sequence[float]) -> Figure:
    units, best = units_of(snapshot), snapshot.winner
    domain = snapshot.config.space[name]
    own = [trial for trial in snapshot.trials if name in trial.params]
    below = [trial for trial in own if trial.state in ("PRUNED", "FAIL")]
    data = [
        _trace(name, [t for t in below if t.state == state], LOOKS[state], units, edge)
        for state in ("PRUNED", "FAIL")
    ]
    whole = [t for t in own if t.state == "COMPLETE" and t.value is not None]
    plain = [t for t in whole if t is not best and t.number]
    data.append(_trace(name, plain, LOOKS["COMPLETE"], units))
    baseline = Look("ink", "diamond", "baseline")
    data.append(_trace(name, [t for t in whole if not t.number and t is not best], baseline, units))
    star = Look("winner", "star", "best")
    data.append(_trace(name, [t for t in whole if t is best], star, units, size=13))
    x = axis(label(name), type="log" if domain.log else "linear", zeroline=False)
    if domain.log:
        x["dtick"] = 1
    y = axis(units.name, tickformat=units.ticks, range=limits, zeroline=False)
    return Figure(
        id=f"settings-{at}",
        title=f"{label(name)} against {units.name}",
        data=[trace for trace in data if trace["x"]],
        layout=layout(x, y, showlegend=False),
        height=280,
        labels=describe_all(snapshot.trials, units),
    )


def _trace(
    name: str, trials: Sequence[TrialRecord], look: Look, units: Units,
    edge: float | None = None, *, size: float = 8,
) -> dict[str, Any]:  # fmt: skip
    """Return the points of some trials, at their values or all on an edge."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": look.name,
        "x": [trial.params[name] for trial in trials],
        "y": [trial.value if edge is None else edge for trial in trials],
        "customdata": [trial.number for trial in trials],
        "marker": marker(look, size),
        "hovertemplate": f"%{{text}}<br>{label(name)}: %{{x:.4g}}<extra></extra>",
    }
