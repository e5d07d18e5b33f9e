"""What a trial looks like wherever it is drawn: colour and shape by its state, its label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.study.checks.wording import called
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
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
    "PAUSED": Look("running", "line-ew", "waits for a larger budget"),
    "RUNNING": Look("running", "circle-open", "running"),
}
"""By `shown_state` of a trial; those drawn last lie above the others."""


def marker(look: Look, size: float = 7) -> dict[str, Any]:
    """Return the marker of plotly.js."""
    edge = {"color": colour(look.role), "width": 1.5 if "-" in look.symbol else 0.5}
    return {"symbol": look.symbol, "size": size, "color": colour(look.role), "line": edge}


def is_winner(trial: TrialRecord, snapshot: Snapshot) -> bool:
    """Return whether a trial is the one that is, or would be, retrained."""
    return snapshot.winner is not None and trial.number == snapshot.winner.number


def describe(trial: TrialRecord, units: Units) -> str:
    """Return a trial as one line of a label: state, value, epochs."""
    at = "" if trial.state == "COMPLETE" or trial.last is None else f" at epoch {trial.last.epoch}"
    value = f" {units.value(trial.value)}{at}" if trial.value is not None else ""
    reason = f", {trial.stop_reason}" if trial.shown_state in ("PRUNED", "FAIL") else ""
    return label(f"{called(trial)}: {trial.shown_state.lower()}{reason},{value}".rstrip(","))


def describe_all(trials: Sequence[TrialRecord], units: Units) -> list[str]:
    """Return the label of each trial."""
    return [describe(trial, units) for trial in trials]
