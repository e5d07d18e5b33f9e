"""What a trial looks like wherever it is drawn: colour and shape by its state, its label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.study.records import TrialRecord
from search.view.page.figure import colour, label
from search.view.page.units import Units


@dataclass(frozen=True, slots=True)
class Look:
    """Of the trials in one state."""

    role: str
    """Colour of the style sheet."""
    symbol: str
    """Marker of plotly.js: states differ in shape too."""
    name: str
    """What a legend says."""


LOOKS = {
    "PRUNED": Look("pruned", "line-ns", "stopped early"),
    "COMPLETE": Look("complete", "circle", "complete"),
    "FAIL": Look("failed", "x-thin", "failed"),
    "RUNNING": Look("running", "circle-open", "running"),
}
"""By state; those drawn last lie above the others."""


def marker(look: Look, size: float = 7) -> dict[str, Any]:
    """Return the marker of plotly.js."""
    edge = {"color": colour(look.role), "width": 1.5 if "-" in look.symbol else 0.5}
    return {"symbol": look.symbol, "size": size, "color": colour(look.role), "line": edge}


def called(trial: TrialRecord) -> str:
    """Return a trial's id, and its name where it has one."""
    return f"{trial.id} ({trial.name})" if trial.name else trial.id


def describe(trial: TrialRecord, units: Units) -> str:
    """Return a trial as one line of a label: state, value, epochs."""
    at = "" if trial.state == "COMPLETE" or trial.last is None else f" at epoch {trial.last.epoch}"
    value = f" {units.value(trial.value)}{at}" if trial.value is not None else ""
    reason = f", {trial.stop_reason}" if trial.state in ("PRUNED", "FAIL") else ""
    return label(f"{called(trial)}: {trial.state.lower()}{reason},{value}".rstrip(","))


def describe_all(trials: Sequence[TrialRecord], units: Units) -> list[str]:
    """Return the label of each trial."""
    return [describe(trial, units) for trial in trials]
