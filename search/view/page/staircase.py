"""The best so far as a line of steps, with a marker where each was found."""

from collections.abc import Mapping, Sequence
from typing import Any

from search.study.incumbents import Step
from search.view.page.units import Units


def staircase(
    steps: Sequence[Step],
    epochs: int,
    units: Units,
    *,
    base: Mapping[str, Any],
    line: Mapping[str, Any],
    marker: Mapping[str, Any],
    first_label: int = 0,
) -> list[dict[str, Any]]:
    """Return the two traces, the line flat from its last step to the epochs spent by now.

    Args:
        steps: of a study, at least one.
        epochs: that it has spent.
        units: of the values.
        base: what both traces have, such as a name.
        line: of plotly.js, without its shape.
        marker: of plotly.js.
        first_label: place of the first step's label among the figure's.
    """
    x, y = [step.epochs for step in steps], [step.value for step in steps]
    template = f"%{{text}}<br>after %{{x}} epochs: %{{y:{units.hover}}}<extra></extra>"
    both = {"type": "scatter", **base}
    labels = list(range(first_label, first_label + len(steps)))
    return [
        {**both, "mode": "lines", "x": [*x, epochs], "y": [*y, y[-1]],
         "line": {**line, "shape": "hv"}, "hoverinfo": "skip"},
        {**both, "mode": "markers", "x": x, "y": y, "marker": marker, "showlegend": False,
         "customdata": labels, "hovertemplate": template},
    ]  # fmt: skip
