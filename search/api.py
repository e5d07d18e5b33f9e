"""The search as a library: any function that yields epochs, behind the same study and driver."""

import logging
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli, work
from search.interrupts import StopRequest
from search.study.errors import MachineError, UnfinishedError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.provenance import record_start
from search.study.records import TrialRecord, baseline_value, incumbent
from search.study.sections import Budget, Domain, PrunerConfig, Resources, SamplerConfig
from search.study.space import SERESNET, StudyConfig
from search.study.storage import Location
from seresnet.errors import ConfigError

if TYPE_CHECKING:
    from search.engine.foreign import Trainable

__all__ = ["Budget", "Domain", "Found", "PrunerConfig", "Resources", "SamplerConfig", "search"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has brought."""

    best: TrialRecord
    """The best trial at full budget: `params`, `value`; as the best of many, its value flatters."""
    baseline: float | None
    """The baseline's value; None if it did not complete."""
    folder: Path
    """The study: `trials.csv`, `epochs.csv`, `study.db`."""
    trials: list[TrialRecord] = field(repr=False)
    """All of them, in their order."""


def search(
    trainable: "Trainable",
    *,
    space: Mapping[str, Domain],
    baseline: Mapping[str, float],
    folder: str | Path,
    budget: Budget,
    recipes: Mapping[str, Mapping[str, float]] | None = None,
    sampler: SamplerConfig | None = None,
    pruner: PrunerConfig | None = None,
    resources: Resources | None = None,
    address: str | None = None,
) -> Found:
    """Search for what makes a trainable best; the same call goes on where it was interrupted.

    The baseline is trial 0, recipes follow, then the sampler suggests; weak trials are stopped at
    the rungs. All is kept as it comes. An interrupted trial begins again from its first epoch, with
    its own seed and params, and the epochs that the study holds are not stored twice: a trainable
    that is a function of (params, seed) loses time alone.

    Args:
        trainable: called in a worker with (params, seed, epochs); yields a dict an epoch, whose
            `val_accuracy` is maximised: finite, of any range. It may tell `val_loss`, `train_loss`,
            `val_accuracy_raw`, `lr` and `images_per_second` too. It must yield `epochs` times.
        space: hyperparameter to domain; the names are columns of the tables.
        baseline: a value for each.
        folder: of this study; made where it is missing.
        budget: trials, epochs, reduction factor, seed.
        recipes: known settings by name, like the baseline.
        sampler: who suggests; TPE unless said.
        pruner: who stops; ASHA unless said.
        resources: of one trial; a CPU core, and no GPU, unless said.
        address: of a running Ray cluster; this machine alone if none is given.

    Returns:
        The best trial, and the study.

    Raises:
        ConfigError: the settings are wrong, or not those that the folder's study was made with.
        UnfinishedError: no trial is complete, or the search could not go on.
        MachineError: Ray does not start, or the folder cannot be written.
        DamagedStudyError: the study in the folder is damaged.
        KeyboardInterrupt: Ctrl-C; running epochs have ended, the next call goes on.
    """
    name = getattr(trainable, "__name__", type(trainable).__name__)
    if name == SERESNET:
        raise ConfigError(f"trainable: must not be called {SERESNET}", "rename the function")
    try:
        config = StudyConfig(
            study=budget,
            space=dict(space),
            baseline=dict(baseline),
            recipes={key: dict(params) for key, params in (recipes or {}).items()},
            sampler=sampler or SamplerConfig(),
            pruner=pruner or PrunerConfig(),
            resources=resources or Resources(gpus_per_trial=0),
            trainable=name,
        )
    except ValueError as error:
        lines = [line for line in str(error).splitlines() if not line.startswith("hint: ")]
        raise ConfigError("\n".join(lines), "correct it, then call search again") from error
    path = Path(folder)
    with StopRequest(cli.note, "call search again: it goes on", leave=lambda _: None) as stop:
        trials = _run(trainable, config, StudyFolder(path), stop, address)
    best = incumbent(trials)
    if best is None:
        hint = f"see error_kind and error in {path / 'trials.csv'}"
        raise UnfinishedError(f"no trial of {len(trials)} is complete", hint)
    return Found(best, baseline_value(trials), path, trials)


def _run(
    trainable: "Trainable",
    config: StudyConfig,
    folder: StudyFolder,
    stop: StopRequest,
    address: str | None,
) -> list[TrialRecord]:
    """Run what is left of the study; return its trials."""
    from search.results import write_tables
    from search.study.backup import Backups
    from search.view.live import watch

    _refuse_running_ray()
    # The study binds images by their hashes; what another trainable reads is its own affair.
    no_images = {"train_sha256": "", "val_sha256": ""}
    backups = Backups(folder.database, folder.backups)
    with opened(folder, config, no_images, backups=backups) as ledger:
        if ledger.num_remaining:
            command = shlex.join(["python", *sys.argv])
            stored_in = Location.of_file(folder.database).recorded
            record_start(folder.provenance, ledger, {}, command=command, stored_in=stored_in)
            with watch(ledger) as view, work.followed(folder, ledger, backups, view):
                _carry_out(trainable, ledger, folder, stop, address)
        else:
            write_tables(ledger.trials, folder.path)
        return ledger.trials


def _carry_out(
    trainable: "Trainable",
    ledger: Ledger,
    folder: StudyFolder,
    stop: StopRequest,
    address: str | None,
) -> None:
    """Let Ray run the remaining trials; after a memory kill anew, with fewer at once."""
    from search.engine.cluster import session, usable_grant
    from search.engine.course import Course
    from search.engine.foreign import foreign_trainable
    from search.engine.memory import MemoryKills
    from search.engine.nodes import probe
    from search.engine.tuning import MemoryKillError, run_search

    course, resources = Course(ledger, stop), ledger.config.resources
    kills, slots_at_most = MemoryKills(course), None
    while True:
        with session(address=address, after_start=stop.install):
            probe(folder.path)
            granted = usable_grant(resources, slots_at_most=slots_at_most)
            try:
                function = foreign_trainable(trainable, ledger.config, folder.checkpoints)
                run_search(function, granted, course)
            except MemoryKillError as kill:
                slots_at_most = kills.next_slots(granted.slots)
                _log.warning("%s; going on with %d at once", kill.message, slots_at_most)
                course.raise_if_ended()
            else:
                return


def _refuse_running_ray() -> None:
    """Leave a Ray of the caller's alone: the search starts and ends one of its own.

    Raises:
        MachineError: there is one in this process.
    """
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        raise MachineError("Ray runs in this process already", "call ray.shutdown() before search")
