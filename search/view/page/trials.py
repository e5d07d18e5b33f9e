"""All trials as a table, the best first; a click on a heading sorts it."""

from collections.abc import Sequence
from functools import partial

from search.study.checks.wording import count
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.html import Content, Html, breakable, note, table, tag
from search.view.page.marks import is_winner
from search.view.page.units import Units, duration, setting, units_of

_section = partial(Section, id="trials", title="All trials", link="Trials")

MOST_ROWS = 300
"""Of the table: more are hard to read, and slow to lay out."""
_ORDER = ("COMPLETE", "RUNNING", "PAUSED", "PRUNED", "FAIL")
_NUM_BEFORE = 3


def trials(snapshot: Snapshot) -> Section:
    """Return the section of the trials."""
    all_trials = snapshot.trials
    if not all_trials:
        return _section(parts=[note("No trial has been begun yet.")])
    told = "The best first; a click on a heading sorts. Values of stopped trials are in mid-course."
    if len(all_trials) > MOST_ROWS:
        rest = count(len(all_trials) - MOST_ROWS, "trial")
        told += f" These are the first {MOST_ROWS}; {rest} more stand in trials.csv."
    units, params = units_of(snapshot), list(snapshot.config.space)
    header: list[Content] = ["trial", "name", "state", "value", units.gain, "epochs"]
    header += [*map(breakable, params), "time", "reason"]
    shown = sorted(all_trials, key=_rank)[:MOST_ROWS]
    rows = [_row(trial, snapshot, units, params) for trial in shown]
    numbers = range(_NUM_BEFORE, len(header) - 1)
    body = table(header, rows, numbers=numbers, class_="sortable")
    return _section(parts=[note(told), body])


def _rank(trial: TrialRecord) -> tuple[int, float, int]:
    value = trial.value if trial.value is not None else float("-inf")
    return _ORDER.index(trial.shown_state), -value, trial.number


def _row(
    trial: TrialRecord, snapshot: Snapshot, units: Units, params: Sequence[str]
) -> list[Content]:
    seconds = sum(each.seconds for each in trial.epochs.values())
    gain = None
    if trial.state == "COMPLETE" and trial.value is not None and snapshot.baseline is not None:
        gain = trial.value - snapshot.baseline
    reason = trial.stop_reason if trial.state != "COMPLETE" else ""
    if trial.error:
        reason = f"{trial.error_kind}: {trial.error}"
    return [
        tag("td", tag("strong", trial.id)) if is_winner(trial, snapshot) else trial.id,
        trial.name,
        trial.shown_state.lower(),
        _number(trial.value, units.value(trial.value)),
        _number(gain, units.signed(gain)),
        _number(len(trial.epochs), str(len(trial.epochs))),
        *(_number(trial.params.get(name), _setting(trial, name)) for name in params),
        _number(seconds, duration(seconds)),
        tag("td", reason, class_="wide"),
    ]


def _number(value: float | None, shown: str) -> Html:
    """Return a cell that is sorted by its value."""
    return tag(
        "td", shown, class_="number", data_value=repr(value) if value is not None else "-Infinity"
    )


def _setting(trial: TrialRecord, name: str) -> str:
    return setting(trial.params[name]) if name in trial.params else ""
