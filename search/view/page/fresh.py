"""What fresh seeds say: the confirmation, value by value, and what each setting is worth."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from search.study.ablation import Ablation, Effect
from search.study.checks.wording import command
from search.study.confirmation import Confirmation, Entrant
from search.study.snapshot import Snapshot
from search.view.page.document import Part, Section
from search.view.page.figure import SYMBOLS, Figure, axis, colour, label, layout, lines
from search.view.page.html import code, note, table
from search.view.page.units import Units, sentence, setting, units_of

_confirmation = partial(Section, id="confirmation", title="On fresh seeds", link="Fresh seeds")
_ablation = partial(Section, id="ablation", title="Which settings are needed", link="Ablation")
_ROW, _FRAME = 44, 100  # pixels


def confirmation(snapshot: Snapshot) -> Section:
    """Return the section of the confirmation."""
    found = snapshot.confirmation
    if found is None:
        parts: list[Part] = [note(_why_none(snapshot))]
        if snapshot.winner is not None and snapshot.config.is_seresnet:
            parts.append(code(command(snapshot, "confirm")))
        return _confirmation(parts=parts)
    units = units_of(snapshot)
    seeds = ", ".join(map(str, found.terms.seeds))
    told = (
        f"Each configuration was trained for {found.terms.epochs} epochs with seeds {seeds}. A "
        "line joins the runs of one seed, a bar is the mean."
    )
    entrants = found.ranked
    header = ["trial", "name", "mean", units.gain, "at least", "at most", "in the search"]
    shown = table(header, [_row(each, units) for each in entrants], numbers=range(2, 7))
    figures = [figure for figure in (_runs(found, units), _gains(found)) if figure.data]
    parts = [note(told), *figures, shown]
    return _confirmation(parts=parts)


def _why_none(snapshot: Snapshot) -> str:
    if snapshot.winner is None:
        return "No trial is complete, so there is nothing to confirm yet."
    if not snapshot.config.is_seresnet:
        return "Nothing is confirmed: run the best settings and the baseline again on fresh seeds."
    if snapshot.folder.confirmation.exists():
        return "The confirmation there is belongs to an earlier state of the study; anew:"
    return "The best trials were not compared with the baseline on fresh seeds yet:"


def _row(each: Entrant, units: Units) -> list[str]:
    return [
        each.trial,
        each.name,
        units.value(each.mean) if not each.error else f"diverged: {each.error}",
        units.signed(each.gain),
        units.signed(each.at_least),
        units.signed(each.at_most),
        units.value(each.val_accuracy_in_search),
    ]


def _runs(found: Confirmation, units: Units) -> Figure:
    """Return the value of each run, by configuration; the runs of one seed are joined."""
    entrants = found.ranked
    names = [_named(each) for each in entrants]
    data: list[dict[str, Any]] = []
    for at, seed in enumerate(map(str, found.terms.seeds)):
        data.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": f"seed {label(seed)}",
                "x": names, "y": [each.values.get(seed) for each in entrants],
                "line": {"color": colour("faint"), "width": 1.5},
                "marker": {"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 9,
                           "color": colour("complete")},
                "hovertemplate": f"%{{x}}, seed {label(seed)}: %{{y:{units.hover}}}<extra></extra>",
            }
        )  # fmt: skip
    data.append(
        {
            "type": "scatter", "mode": "markers", "name": "mean", "x": names,
            "y": [each.mean for each in entrants],
            "marker": {"symbol": "line-ew", "size": 34,
                       "line": {"width": 3, "color": colour("winner")}},
            "hovertemplate": f"%{{x}}, mean: %{{y:{units.hover}}}<extra></extra>",
        }
    )  # fmt: skip
    x, y = axis("", type="category"), axis(units.name, tickformat=units.ticks, zeroline=False)
    title = f"Runs of {len(names)} configurations with {len(found.terms.seeds)} seeds each"
    return Figure(id="confirmation-runs", title=title, data=data, layout=layout(x, y), height=400)


def _gains(found: Confirmation) -> Figure:
    """Return each gain over the baseline with its bounds, in points."""
    known = [each for each in found.ranked if each.gain is not None]
    rows = [
        _Bound(_named(each), each.gain, each.at_least, each.at_most, each.trial == found.winner)
        for each in known
    ]
    return _bounds("confirmation-gains", "gain over the baseline, points", rows)


def ablation(snapshot: Snapshot) -> Section:
    """Return the section of the ablation."""
    found = snapshot.ablation
    if found is None:
        why = "No setting of the winner was put back to the baseline to see what it is worth"
        if snapshot.folder.ablation.exists():
            why = "The ablation there is belongs to an earlier winner; anew"
        if snapshot.winner is None or not snapshot.config.is_seresnet:
            return _ablation(parts=[note(f"{why}.")])
        parts: list[Part] = [note(f"{why}:"), code(command(snapshot, "ablate"))]
        return _ablation(parts=parts)
    seeds = ", ".join(map(str, found.seeds))
    told = f"{found.sentence}. {found.epochs} epochs each, seeds {seeds}."
    if found.is_short:
        told += f" The schedule was short: the search's had {found.search_epochs} epochs."
    header = ["without", "best", "baseline", "loss, points", "at least", "at most", "needed"]
    rows = [_effect_row(each, units_of(snapshot)) for each in found.effects]
    shown = table(header, rows, numbers=range(1, 6))
    figure = _losses(found)
    parts = [note(sentence(told)), *([figure] if figure.data else []), shown]
    return _ablation(parts=parts)


def _effect_row(each: Effect, units: Units) -> list[str]:
    return [
        each.hyperparameter,
        setting(each.value),
        setting(each.baseline),
        units.signed(each.loss) if not each.error else f"diverged: {each.error}",
        units.signed(each.at_least),
        units.signed(each.at_most),
        "yes" if each.is_needed else "not shown",
    ]


def _losses(found: Ablation) -> Figure:
    """Return what each setting is worth with its bounds, in points."""
    rows = [
        _Bound(label(each.hyperparameter), each.loss, each.at_least, each.at_most, each.is_needed)
        for each in found.effects
        if each.loss is not None
    ]
    return _bounds("ablation-losses", "lost without it, points", rows)


class _Bound:
    """A difference and its bounds; fractions."""

    def __init__(
        self, name: str, middle: float | None, low: float | None, high: float | None, strong: bool
    ) -> None:
        self.name, self.middle, self.is_strong = name, 100 * (middle or 0.0), strong
        self.below = self.middle - 100 * low if low is not None else 0.0
        self.above = 100 * high - self.middle if high is not None else 0.0


def _bounds(name: str, title: str, rows: Sequence[_Bound]) -> Figure:
    """Return differences with their bounds, one below the other, and a line at nothing."""
    shades = [colour("winner" if row.is_strong else "complete") for row in rows]
    error = {
        "type": "data", "symmetric": False, "color": colour("dim"), "thickness": 1.5, "width": 6,
        "array": [row.above for row in rows], "arrayminus": [row.below for row in rows],
    }  # fmt: skip
    trace = {
        "type": "scatter", "mode": "markers", "x": [row.middle for row in rows],
        "y": [row.name for row in rows], "error_x": error, "showlegend": False,
        "marker": {"size": 11, "color": shades}, "customdata": list(range(len(rows))),
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip
    x = axis(title, zeroline=True, zerolinewidth=2, zerolinecolor=colour("dim"),
             rangemode="tozero")  # fmt: skip
    return Figure(
        id=name,
        title=title,
        data=[trace] if rows else [],
        layout=layout(x, axis("", range=[len(rows) - 0.5, -0.5], type="category", showgrid=False)),
        height=_FRAME + _ROW * len(rows),
        labels=[
            f"{row.name}: {row.middle:+.2f}"
            f" ({row.middle - row.below:+.2f} to {row.middle + row.above:+.2f})"
            for row in rows
        ],
    )


def _named(each: Entrant) -> str:
    return lines(label(each.trial), label(each.name)) if each.name else label(each.trial)
