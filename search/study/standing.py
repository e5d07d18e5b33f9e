"""Where a study stands, for those who only look: what it is at, who drives it, what it takes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from search.study.contest import planned, terms_of
from search.study.disk import usage
from search.study.folder import StudyFolder
from search.study.lock import database_driver, driver_of
from search.study.records import TrialRecord, gain_of, incumbent
from search.study.snapshot import Snapshot, take_snapshot
from search.study.stages import CONFIRM, RETRAIN, Stage, read_ablation, read_stage
from search.study.storage import locate, translated

SEARCH = "search"
_NO_MODELS = "the retrained models are not here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One study folder at one moment."""

    folder: StudyFolder
    state: str
    """`running`, `stopped` (something is left to be done, and nobody does it), `paused` (until its
    budget grows), `done`, `failed` (at its end without a complete trial); `unknown` where none can
    tell whether it runs; `tables only`, `damaged`, `unreadable` or `no study` where there is no
    study to look at."""
    stage: str = ""
    """What is done now, or next: `search`, `confirm`, `ablate`, `retrain`; empty where nothing."""
    driver: str = ""
    """Who drives it."""
    best: TrialRecord | None = None
    gain: float | None = None
    """The best trial's validation accuracy less the baseline's."""
    num_trials: int | None = None
    """That it holds."""
    num_planned: int | None = None
    """That are to be run in all."""
    num_epochs: int | None = None
    """Of all trials together."""
    last_activity: datetime | None
    """Of any of its files; with its time zone."""
    num_bytes: int
    """On disk."""
    problem: str = ""
    """What keeps it from being looked at, or what it lacks."""
    snapshot: Snapshot | None = None
    later: Stage | None = None
    """The stage after the search that is not done yet."""


def look(folder: StudyFolder, flag: str | None = None) -> Standing:
    """Return where a study stands, which another process may be driving; nothing is written.

    Args:
        folder: of the study. What lies in it is looked at though the environment names a server.
        flag: the value of `--storage`.

    Raises:
        DataError: the folder holds no study.
        DamagedStudyError: it holds something else than was stored.
        UserError: its database cannot be read.
    """
    if flag is None and folder.database.is_file():
        flag = str(folder.database)
    driver = _driver(folder, flag)
    snapshot = take_snapshot(folder, flag)
    later, progress = _later_stage(snapshot), snapshot.progress
    is_early = bool(driver and later and later.at_once and not progress.running)
    is_searching = progress.is_open and not is_early  # such as a retraining before its end
    stage = SEARCH if is_searching else later.name if later else ""
    state = "running" if driver else _state(snapshot, later)
    if driver is None and state not in ("done", "failed"):
        state = "unknown"
    taken = usage(folder.path)
    return Standing(
        folder=folder,
        state=state,
        stage=stage,
        driver=driver or "",
        best=snapshot.incumbent,
        gain=progress.gain,
        num_trials=len(snapshot.trials),
        num_planned=progress.num_trials,
        num_epochs=progress.epochs_done,
        last_activity=taken.last_change,
        num_bytes=taken.num_bytes,
        problem=_NO_MODELS if not later and _is_without_models(snapshot) else "",
        snapshot=snapshot,
        later=None if is_searching else later,
    )


def without_study(
    folder: StudyFolder, state: str, problem: str, trials: Sequence[TrialRecord] = ()
) -> Standing:
    """Return where a folder stands that has no study to look at.

    Args:
        folder: to be told of.
        state: see `Standing`.
        problem: why.
        trials: that its tables tell of.
    """
    taken = usage(folder.path)
    return Standing(
        folder=folder,
        state=state,
        best=incumbent(trials),
        gain=gain_of(trials),
        num_trials=len(trials) if trials else None,
        num_epochs=sum(len(trial.epochs) for trial in trials) if trials else None,
        last_activity=taken.last_change,
        num_bytes=taken.num_bytes,
        problem=problem,
    )


def _driver(folder: StudyFolder, flag: str | None) -> str | None:
    """Return who drives a study; nothing where nobody does, None where none can tell."""
    location = locate(flag, folder.database)
    driver = driver_of(folder.path)
    if not location.is_sqlite and not driver:  # it may be another machine's folder of this name
        with translated(location):
            return database_driver(location, folder.study_name(location))
    return driver


def _state(snapshot: Snapshot, later: Stage | None) -> str:
    """Return how a study stands that nobody drives."""
    if snapshot.progress.is_open:
        return "stopped"
    if snapshot.progress.budget:
        return "paused"
    if snapshot.winner is None:
        return "failed"
    return "stopped" if later else "done"


def _later_stage(snapshot: Snapshot) -> Stage | None:
    """Return the first stage after the search that is not done, as far as files tell."""
    config, folder, best = snapshot.config, snapshot.folder, snapshot.winner
    if best is None or not config.is_seresnet:
        return None
    if config.confirm.top and snapshot.confirmation is None:
        runs = planned(snapshot, terms_of(config))
        wanted = {run.name: (run.config.epochs, run.config.fingerprint()) for run in runs}
        return read_stage(CONFIRM, folder.confirm, wanted)
    ablation = read_ablation(folder, config.confirm_epochs)
    if ablation.runs and (snapshot.ablation is None or not ablation.is_done):
        return ablation
    wanted = {}
    for seed in config.retrain.seeds:
        each = config.retrain_config(best.params, seed=seed)
        wanted[folder.retrain(seed).name] = (each.epochs, each.fingerprint())
    retrain = read_stage(RETRAIN, folder.retrain(0).parent, wanted)
    return None if retrain.is_done or _is_without_models(snapshot) else retrain


def _is_without_models(snapshot: Snapshot) -> bool:
    """Return whether the present winner's submission is here, and nothing of its retraining.

    So it is where a study was published.
    """
    folder, best = snapshot.folder, snapshot.winner
    if best is None or folder.retrain(0).parent.exists():
        return False
    try:
        sidecar = json.loads(folder.submission.with_suffix(".json").read_bytes())
        return (sidecar["run"], sidecar["trial"]) == (snapshot.id, best.id)
    except (OSError, ValueError, LookupError, TypeError):
        return False
