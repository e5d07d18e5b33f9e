"""Every learning curve: where each trial went and where it was stopped."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import quantiles
from typing import Any

from search.study.records import TrialRecord
from search.study.rules import Rules
from search.study.snapshot import Snapshot
from search.view.page.document import Part, Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import tag
from search.view.page.units import Units, units_of

MOST_POINTS = 20_000
"""Points of all curves; above, epochs are left out, so that a page of 1,000 trials stays quick."""
_NUM_NAMED = 4
"""Recipes that have a line of their own in the legend."""
_LOOKS = {  # state: colour, symbol of its last point, what it is called
    "PRUNED": ("pruned", "line-ns", "stopped early"),
    "COMPLETE": ("complete", "circle", "complete"),
    "FAIL": ("failed", "x", "failed"),
    "RUNNING": ("running", "circle-open", "running"),
}


def curves(snapshot: Snapshot) -> Section:
    """Return the section of the learning curves."""
    trials = [trial for trial in snapshot.trials if trial.epochs]
    if not trials:
        parts = [tag("p", "No trial has finished an epoch yet.", class_="note")]
        return Section(id="curves", title="Learning curves", parts=parts)
    rungs = _rungs(snapshot)
    step = _step(trials)
    told = f"Each line is a trial: its {units_of(snapshot).name} by epoch, of averaged weights."
    if not snapshot.config.is_seresnet:
        told = "Each line is a trial: its value by epoch."
    if rungs:
        told += f" Weak trials may be stopped at {_epochs(rungs)}, the dotted lines."
    if step > 1:
        told += f" Of these {len(trials):,} curves every {step}th epoch is drawn, and the last."
    told += " A double click shows all of the axis."
    parts: list[Part] = [tag("p", told, class_="note"), _figure(snapshot, trials, rungs, step)]
    return Section(id="curves", title="Learning curves", parts=parts)


def _rungs(snapshot: Snapshot) -> list[int]:
    """Return the epochs at which trials may be stopped, as far as that is decided."""
    rules = Rules(snapshot.config)
    rules.choice(snapshot.trials)
    return list(rules.rungs)


def _epochs(rungs: Sequence[int]) -> str:
    return f"epoch {', '.join(str(epoch) for epoch in rungs)}"


def _step(trials: Iterable[TrialRecord]) -> int:
    return -(-sum(len(trial.epochs) for trial in trials) // MOST_POINTS)


def _figure(
    snapshot: Snapshot, trials: Sequence[TrialRecord], rungs: Sequence[int], step: int
) -> Figure:
    units, best = units_of(snapshot), snapshot.winner
    named = [t for t in trials if t.name][: _NUM_NAMED + 1]
    if best is not None and best not in named:
        named.append(best)
    rest = [trial for trial in trials if trial not in named]
    data = [trace for state in _LOOKS for trace in _group(state, rest, step, units)]
    data += [_single(trial, trial is best, units) for trial in named]
    y = axis(units.name, tickformat=units.ticks, range=_range(trials))
    x = axis("epoch", range=[0.5, snapshot.config.study.max_epochs + 0.5], zeroline=False)
    shapes = [_rung(epoch) for epoch in rungs]
    return Figure(
        id="curves-all",
        title=f"Learning curves of {len(trials)} trials",
        data=data,
        layout=layout(x, y, shapes=shapes),
        height=520,
        labels=[_describe(trial) for trial in snapshot.trials],
    )


def _group(
    state: str, trials: Sequence[TrialRecord], step: int, units: Units
) -> Iterator[dict[str, Any]]:
    """Yield one trace for all curves of a state, with gaps between them, and one for their ends."""
    own = [trial for trial in trials if trial.state == state]
    if not own:
        return
    role, symbol, name = _LOOKS[state]
    points: list[tuple[int | None, float | None, int]] = []
    for trial in own:
        points += _points(trial, step)
        points.append((None, None, trial.number))
    x, y, numbers = (list(column) for column in zip(*points, strict=True))
    whose: dict[str, Any] = {"type": "scatter", "legendgroup": state, "name": name}
    whose["hovertemplate"] = _template(units)
    line = {"color": colour("faint" if state == "PRUNED" else role), "width": 1}
    yield {**whose, "mode": "lines", "x": x, "y": y, "customdata": numbers, "line": line,
           "showlegend": False}  # fmt: skip
    ends = [_points(trial, step)[-1] for trial in own]
    x, y, numbers = (list(column) for column in zip(*ends, strict=True))
    edge = {"color": colour(role), "width": 1.5}
    marker = {"symbol": symbol, "size": 7, "color": colour(role), "line": edge}
    yield {**whose, "mode": "markers", "x": x, "y": y, "customdata": numbers, "marker": marker}


def _single(trial: TrialRecord, is_winner: bool, units: Units) -> dict[str, Any]:
    """Return the trace of a trial that is looked for: the winner, the baseline, a recipe."""
    x, y, numbers = (list(column) for column in zip(*_points(trial, 1), strict=True))
    role, dash, width = ("winner", "solid", 3.0) if is_winner else ("ink", "dot", 1.5)
    if trial.number == 0 and not is_winner:
        dash, width = "dash", 2.5
    name = " ".join(filter(None, ["winner" if is_winner else "", trial.name or trial.id]))
    line = {"color": colour(role), "width": width, "dash": dash}
    return {
        "type": "scatter", "mode": "lines", "name": label(name), "x": x, "y": y, "line": line,
        "customdata": numbers, "hovertemplate": _template(units),
    }  # fmt: skip


def _points(trial: TrialRecord, step: int) -> list[tuple[int | None, float | None, int]]:
    """Return epochs and values of a trial: every `step`th, the first and the last."""
    epochs = sorted(trial.epochs)
    kept = [epoch for epoch in epochs if epoch % step == 0 or epoch in (epochs[0], epochs[-1])]
    return [(epoch, trial.epochs[epoch].val_accuracy, trial.number) for epoch in kept]


def _template(units: Units) -> str:
    return f"%{{text}}<br>epoch %{{x}}: %{{y:{units.hover}}}<extra></extra>"


def _describe(trial: TrialRecord) -> str:
    name = f" {trial.name}" if trial.name else ""
    reason = f" ({trial.stop_reason})" if trial.stop_reason else ""
    return label(f"{trial.id}{name}, {trial.state}{reason}")


def _range(trials: Sequence[TrialRecord]) -> list[float]:
    """Return what of the vertical axis is shown: not the first, steep tenth of all values."""
    values = [e.val_accuracy for t in trials for e in t.epochs.values()]
    known = sorted(value for value in values if value is not None)
    low = quantiles(known, n=10)[0] if len(known) > 1 else known[0]
    margin = 0.05 * (known[-1] - low) or 0.01
    return [low - margin, known[-1] + margin]


def _rung(epoch: int) -> dict[str, Any]:
    line = {"color": colour("dim"), "width": 1, "dash": "dot"}
    return {"type": "line", "x0": epoch, "x1": epoch, "yref": "paper", "y0": 0, "y1": 1,
            "layer": "below", "line": line}  # fmt: skip
