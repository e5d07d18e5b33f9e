"""Where studies stand: a line each, one at length, or rows for a program."""

import dataclasses
import sys
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, RenderableType

from search.study.progress import Progress, seconds_left
from search.study.snapshot import Snapshot
from search.study.stages import CONFIRM, Stage
from search.study.standing import Standing
from search.view.facts import clock, describe_times, moment, size
from search.view.formats import Row
from search.view.screen import Fact, Screen, best_of, search_screen, stage_screen

_NONE = "-"


def rows_of(standings: Sequence[Standing], now: datetime) -> list[list[str]]:
    """Return a row a study for a person, titles first."""
    titles = ["study", "state", "best", "gain", "trials", "epochs", "last activity", "disk", ""]
    return [titles, *(_row(standing, now) for standing in standings)]


def record_of(standing: Standing) -> dict[str, object]:
    """Return a study as a row for a program."""
    best, at = standing.best, standing.last_activity
    return {
        "study": standing.folder.path.resolve().name,
        "state": standing.state,
        "stage": standing.stage or None,
        "trial": best.id if best else None,
        "val_accuracy": best.value if best else None,
        "gain": standing.gain,
        "trials": standing.num_trials,
        "num_trials": standing.num_planned,
        "epochs": standing.num_epochs,
        "last_activity": at and at.isoformat(timespec="seconds"),
        "bytes": standing.num_bytes,
        "driver": standing.driver or None,
        "problem": standing.problem or None,
    }


def details_of(standing: Standing) -> dict[str, object]:
    """Return a study at length for a program: who works on what, what was made of it."""
    snapshot, products = standing.snapshot, [str(path) for path in standing.folder.products()]
    if snapshot is None:
        return {**record_of(standing), "products": products}
    progress = snapshot.progress
    winner = snapshot.winner
    return {
        **record_of(standing),
        "states": dict(progress.states),
        "epochs_most": progress.epochs_most,
        "seconds": snapshot.search_seconds,
        "seconds_left": _seconds_left(standing, snapshot),
        "running": [
            {
                "trial": trial.id,
                "name": trial.name,
                "epochs": len(trial.epochs),
                "max_epochs": progress.max_epochs,
                "val_accuracy": trial.value,
                "images_per_second": trial.last.images_per_second if trial.last else None,
                "node": trial.host.node if trial.host else None,
            }
            for trial in progress.running
        ],
        "runs": _runs(standing.later) if standing.later else [],
        "winner": winner.id if winner else None,
        "confirmation": snapshot.confirmation.sentence if snapshot.confirmation else None,
        "ablation": snapshot.ablation.sentence if snapshot.ablation else None,
        "products": products,
    }


def describe_standing(standing: Standing, now: datetime) -> str:
    """Return a study at length for a person: what the live view shows, and what was made of it.

    In colours where stdout is a terminal that has some.
    """
    lines = [f"{standing.folder.path}: {_state(standing)}"]
    if standing.driver:
        lines.append(f"driven by {standing.driver}")
    if standing.problem:
        lines.append(standing.problem)
    if standing.snapshot is not None:
        lines.append(_drawn(_screen(standing, standing.snapshot, now)))
        lines += _verdicts(standing.snapshot)
    if standing.last_activity is not None:
        at = moment(standing.last_activity.astimezone(now.tzinfo), now)
        lines.append(f"last activity {at}, {size(standing.num_bytes)} on disk")
    return "\n".join([*lines, *map(str, standing.folder.products())])


def _row(standing: Standing, now: datetime) -> list[str]:
    best, gain, trials = standing.best, standing.gain, standing.num_trials
    planned, epochs, at = standing.num_planned, standing.num_epochs, standing.last_activity
    of = "" if planned is None else f"/{planned}"
    return [
        standing.folder.path.resolve().name,
        _state(standing),
        _NONE if best is None or best.value is None else f"{best.id} {best.value:.4f}",
        _NONE if gain is None else f"{gain:+.4f}",
        _NONE if trials is None else f"{trials}{of}",
        _NONE if epochs is None else str(epochs),
        _NONE if at is None else moment(at.astimezone(now.tzinfo), now),
        size(standing.num_bytes),
        standing.problem.partition("\n")[0],
    ]


def _state(standing: Standing) -> str:
    """Return state and stage, and in a stage after the search how many runs are done."""
    later = standing.later
    if later is None:
        return f"{standing.state} {standing.stage}".rstrip()
    if standing.state != "running" and not later.epochs_done:
        return f"{standing.state} before {standing.stage}"
    return f"{standing.state} {standing.stage} {later.num_done}/{len(later.runs)}"


def _screen(standing: Standing, snapshot: Snapshot, now: datetime) -> Screen:
    progress, later = snapshot.progress, standing.later
    times = describe_times(
        f"{clock(snapshot.search_seconds)} of search",
        _seconds_left(standing, snapshot),
        now=now,
        is_bound=later is None,
    )
    if later is not None:
        whose = best_of(progress)
        if later.name != CONFIRM and snapshot.winner is not None:
            whose = Fact("winner", [f"{snapshot.winner.id} {snapshot.winner.name}".rstrip()])
        return stage_screen(later, times=times, whose=whose, is_cut=False)
    if standing.state != "running":
        progress = _interrupted(progress)
    return search_screen(progress, times=times, is_cut=False)


def _interrupted(progress: Progress) -> Progress:
    """Return a study's progress whose running trials nobody runs now."""
    names = {"RUNNING": "INTERRUPTED"}
    states = {names.get(state, state): num for state, num in progress.states.items()}
    return dataclasses.replace(progress, states=states, running=[])


def _seconds_left(standing: Standing, snapshot: Snapshot) -> float | None:
    """Return the seconds that the present stage still takes; of the search, at most."""
    if standing.state != "running":
        return None
    if standing.later is not None:
        return standing.later.seconds_left
    if not standing.stage:
        return None
    return seconds_left(snapshot.progress, elapsed=snapshot.search_seconds, epochs_before=0)


def _verdicts(snapshot: Snapshot) -> list[str]:
    lines = []
    if snapshot.confirmation is not None:
        lines.append(f"verdict: {snapshot.confirmation.sentence}")
    if snapshot.ablation is not None:
        lines.append(f"ablation of {snapshot.ablation.trial}: {snapshot.ablation.sentence}")
    return lines


def _runs(stage: Stage) -> list[Row]:
    return [
        {
            "run": run.name,
            "epochs": run.epochs_done,
            "max_epochs": run.epochs,
            "is_done": run.is_done,
            "val_accuracy": run.last.val_accuracy if run.last else None,
            "images_per_second": run.last.images_per_second if run.last else None,
        }
        for run in stage.runs
    ]


def _drawn(screen: RenderableType) -> str:
    """Return what a terminal at stdout would show, or a file."""
    console = Console(file=sys.stdout)
    with console.capture() as captured:
        console.print(screen)
    lines = captured.get().splitlines()
    return "\n".join(line.rstrip() for line in lines)
