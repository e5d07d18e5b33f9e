"""What each hyperparameter has to do with the result, and which cannot be told from noise."""

from collections.abc import Sequence
from functools import partial

from search.study.importance import LEAST_TRIALS, Importance
from search.view.page.document import Section
from search.view.page.figure import Figure, axis, colour, label, layout
from search.view.page.html import note

_section = partial(Section, id="importance", title="What matters", link="Importance")

_ROW, _FRAME = 34, 90  # pixels


def importance(found: Sequence[Importance]) -> Section:
    """Return the section of the importances, the largest on top."""
    if not found:
        none = f"Fewer than {LEAST_TRIALS} trials say too little of what matters."
        return _section(parts=[note(none)])
    told = (
        "By PED-ANOVA: how far the settings of the best tenth of the trials, at least five, differ "
        "from those of all. A bar is the share of a hyperparameter, the thin line its 80% interval "
        "when the trials are drawn anew, the vertical mark what noise alone stays below. A blue "
        "bar is told from noise: by rising above its mark, or by a surface through the values of "
        "all trials. A grey one is not."
    )
    return _section(parts=[note(told), _figure(found)])


def _figure(found: Sequence[Importance]) -> Figure:
    names = [label(each.name) for each in found]
    shades = [colour("complete" if each.is_above_noise else "pruned") for each in found]
    error = {
        "type": "data", "symmetric": False, "color": colour("ink"), "thickness": 1.2, "width": 4,
        "array": [each.high - each.share for each in found],
        "arrayminus": [each.share - each.low for each in found],
    }  # fmt: skip
    bars = {
        "type": "bar", "orientation": "h", "name": "share", "y": names,
        "x": [each.share for each in found], "marker": {"color": shades}, "error_x": error,
        "customdata": list(range(len(found))), "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False, "textposition": "none",
    }  # fmt: skip
    noise = {
        "type": "scatter", "mode": "markers", "name": "noise stays below", "y": names,
        "x": [min(each.noise, 1.0) for each in found],
        "marker": {"symbol": "line-ns", "size": 20,
                   "line": {"width": 2, "color": colour("winner")}},
        "hovertemplate": "noise stays below %{x:.0%}<extra></extra>",
    }  # fmt: skip
    x = axis("share of importance", tickformat=".0%", range=[0, 1.02])
    return Figure(
        id="importance-shares",
        title=f"Importance of {len(found)} hyperparameters, most of all {names[0]}",
        data=[bars, noise],
        layout=layout(x, axis("", autorange="reversed", showgrid=False), bargap=0.45),
        height=_FRAME + _ROW * len(found),
        labels=[_describe(each) for each in found],
    )


def _describe(each: Importance) -> str:
    share = f"{each.share:.0%} ({each.low:.0%} to {each.high:.0%})"
    return label(f"{each.name}: {share}, {each.verdict}")
