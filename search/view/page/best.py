"""The best so far over the epochs spent, beside what random search is expected to find."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from search.study.incumbents import Expected, RandomSearch, Step, incumbents, random_search
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.figure import Figure, axis, colour, layout
from search.view.page.html import note
from search.view.page.marks import describe
from search.view.page.staircase import staircase
from search.view.page.units import Units, sentence, units_of

_section = partial(Section, id="best", title="The best so far", link="Best so far")


def best_so_far(snapshot: Snapshot) -> Section:
    """Return the section of the incumbent."""
    units = units_of(snapshot)
    steps = incumbents(snapshot.trials, snapshot.order)
    if not steps:
        return _section(parts=[note("No trial is complete yet, so there is no best one.")])
    random = random_search(snapshot.config, snapshot.trials)
    told = (
        "The best complete trial by the epochs that all trials together had spent. "
        + sentence(f"random search over the same space: {random.sentence}")
        + " The best of noisy values rises by luck alone: both lines do."
    )
    figure = Figure(
        id="best-by-epochs",
        title=f"The best value so far, from {steps[0].value:.5g} to {steps[-1].value:.5g}",
        data=[*_expected(random, units), *_found(snapshot, steps, units)],
        layout=layout(
            axis("epochs spent", rangemode="tozero"), axis(units.name, tickformat=units.ticks)
        ),
        labels=[describe(snapshot.trials[step.number], units) for step in steps],
    )
    return _section(parts=[note(told), figure])


def _found(snapshot: Snapshot, steps: Sequence[Step], units: Units) -> list[dict[str, Any]]:
    """Return the study's line."""
    base = {"name": "this study", "legendgroup": "study"}
    line, marker = {"color": colour("winner"), "width": 3}, {"color": colour("winner"), "size": 9}
    epochs = len(snapshot.order)
    return staircase(steps, epochs, units, base=base, line=line, marker=marker)


def _expected(random: RandomSearch, units: Units) -> list[dict[str, Any]]:
    points: Sequence[Expected] = random.points
    if not points:
        return []
    template = f"random search<br>after %{{x}} epochs: %{{y:{units.hover}}}<extra></extra>"
    line = {"color": colour("dim"), "width": 2, "dash": "dash"}
    return [
        {
            "type": "scatter", "mode": "lines", "name": "random search, expected",
            "x": [point.epochs for point in points], "y": [point.value for point in points],
            "line": line, "hovertemplate": template,
        }
    ]  # fmt: skip
