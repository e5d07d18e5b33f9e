"""Every learning curve: where each trial went and where it was stopped."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from statistics import quantiles
from typing import Any

from search.study.records import TrialRecord
from search.study.rules import Rules
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import note
from search.view.page.marks import LOOKS, describe_all, is_winner, marker
from search.view.page.units import Units, units_of

_section = partial(Section, id="curves", title="Learning curves", link="Curves")

MOST_POINTS = 10_000
"""Points of all curves; above, epochs are left out, so that a page of 1,000 trials stays quick."""
_NUM_NAMED = 5
"""Baseline and recipes that have a line of their own in the legend."""
_MANY = 100
"""Curves of one state that would hide each other, unless they are faint."""
_Point = tuple[int | None, float | None, int]
"""Epoch, value, number of the trial; a gap between two curves has neither of the first two."""


def curves(snapshot: Snapshot) -> Section:
    """Return the section of the learning curves."""
    trials = [trial for trial in snapshot.trials if trial.epochs]
    if not trials:
        return _section(parts=[note("No trial has finished an epoch yet.")])
    rungs, step = _rungs(snapshot), _step(trials)
    told = note(_describe(snapshot, trials, rungs, step))
    figure = _figure(snapshot, trials, rungs, step)
    return _section(parts=[told, figure])


def _describe(
    snapshot: Snapshot, trials: Sequence[TrialRecord], rungs: Sequence[int], step: int
) -> str:
    of = ", of averaged weights" if snapshot.config.is_seresnet else ""
    told = [f"Each line is a trial: its {units_of(snapshot).name} by epoch{of}."]
    if snapshot.progress.rungs:
        told.append(f"Early stopping: {snapshot.progress.rungs}.")
    if rungs:
        epochs = ", ".join(str(epoch) for epoch in rungs)
        lines = "dotted lines" if len(rungs) > 1 else "dotted line"
        told.append(f"Weak trials may be stopped after epoch {epochs}, the {lines}.")
    if step > 1:
        told.append(f"Of {len(trials):,} curves one epoch in {step} is drawn, and each last one.")
    told.append("The steep beginning is cut off; a double click shows it.")
    return " ".join(told)


def _rungs(snapshot: Snapshot) -> list[int]:
    """Return the epochs at which trials may be stopped, as far as that is decided."""
    rules = Rules(snapshot.config)
    rules.choice(snapshot.trials)
    return list(rules.rungs)


def _step(trials: Iterable[TrialRecord]) -> int:
    return -(-sum(len(trial.epochs) for trial in trials) // MOST_POINTS)


def _figure(
    snapshot: Snapshot, trials: Sequence[TrialRecord], rungs: Sequence[int], step: int
) -> Figure:
    units = units_of(snapshot)
    best = [trial for trial in trials if is_winner(trial, snapshot)]
    named = [trial for trial in trials if trial.name and trial not in best][:_NUM_NAMED]
    singled = [*named, *best]
    numbers = {trial.number for trial in singled}
    rest = [trial for trial in trials if trial.number not in numbers]
    data = [trace for state in LOOKS for trace in _group(state, rest, step, units)]
    data += [_single(trial, trial in best, units) for trial in singled]
    y = axis(units.name, tickformat=units.ticks, range=_range(trials))
    x = axis("epoch", range=[0.5, snapshot.config.study.max_epochs + 0.5], zeroline=False)
    return Figure(
        id="curves-all",
        title=f"Learning curves of {len(trials)} trials",
        data=data,
        layout=layout(x, y, shapes=[_rung(epoch) for epoch in rungs]),
        height=520,
        labels=describe_all(snapshot.trials, units),
    )


def _group(
    state: str, trials: Sequence[TrialRecord], step: int, units: Units
) -> Iterator[dict[str, Any]]:
    """Yield one trace for all curves of a state, with gaps between them, and one for their ends."""
    own = [trial for trial in trials if trial.shown_state == state]
    if not own:
        return
    look = LOOKS[state]
    points = [point for trial in own for point in (*_points(trial, step), _gap(trial))]
    ends = [_points(trial, step)[-1] for trial in own]
    line: dict[str, Any] = {"color": colour(look.role), "width": 1}
    both: dict[str, Any] = {"legendgroup": state, "name": look.name}
    curves = {**both, "line": line, "opacity": 0.5 if len(own) > _MANY else 1}
    yield {**_trace(points, units), **curves, "mode": "lines", "showlegend": False}
    yield {**_trace(ends, units), **both, "mode": "markers", "marker": marker(look)}


def _single(trial: TrialRecord, is_winner: bool, units: Units) -> dict[str, Any]:
    """Return the trace of a trial that is looked for: the winner, the baseline, a recipe."""
    role, dash, width = ("winner", "solid", 3.0) if is_winner else ("ink", "dot", 1.5)
    if trial.number == 0 and not is_winner:
        dash, width = "dash", 2.5
    name = f"winner, {trial.name or trial.id}" if is_winner else trial.name
    line = {"color": colour(role), "width": width, "dash": dash}
    return {**_trace(_points(trial, 1), units), "mode": "lines", "name": label(name), "line": line}


def _trace(points: Sequence[_Point], units: Units) -> dict[str, Any]:
    x, y, numbers = (list(column) for column in zip(*points, strict=True))
    template = f"%{{text}}<br>epoch %{{x}}: %{{y:{units.hover}}}<extra></extra>"
    return {"type": "scatter", "x": x, "y": y, "customdata": numbers, "hovertemplate": template}


def _points(trial: TrialRecord, step: int) -> list[_Point]:
    """Return epochs and values of a trial: every `step`th, the first and the last."""
    epochs = sorted(trial.epochs)
    kept = [epoch for epoch in epochs if epoch % step == 0 or epoch in (epochs[0], epochs[-1])]
    return [(epoch, trial.epochs[epoch].val_accuracy, trial.number) for epoch in kept]


def _gap(trial: TrialRecord) -> _Point:
    return None, None, trial.number


def _range(trials: Sequence[TrialRecord]) -> list[float]:
    """Return what of the vertical axis is shown: not the steep tenth of all values."""
    values = [each.val_accuracy for trial in trials for each in trial.epochs.values()]
    known = sorted(value for value in values if value is not None)
    if not known:
        return [0.0, 1.0]
    low = quantiles(known, n=10)[0] if len(known) > 1 else known[0]
    margin = 0.05 * (known[-1] - low) or 0.01
    return [low - margin, known[-1] + margin]


def _rung(epoch: int) -> dict[str, Any]:
    line = {"color": colour("dim"), "width": 1, "dash": "dot"}
    return {"type": "line", "x0": epoch, "x1": epoch, "yref": "paper", "y0": 0, "y1": 1,
            "layer": "between", "line": line}  # fmt: skip
