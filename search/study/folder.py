"""The study folder: what lies where, and who clears it."""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from search.study.backup import Backups, check_study, quick_check, recover, set_aside_newer
from search.study.errors import DamagedStudyError, MachineError
from search.study.header import STUDY_NAME, load_study, refuse_damage
from search.study.ledger import Ledger
from search.study.lock import database_locked, locked
from search.study.records import TrialRecord, incumbent
from search.study.space import StudyConfig, dump_study
from search.study.storage import (
    RECOVER,
    VARIABLE,
    Location,
    close_storage,
    open_storage,
    sqlite_storage,
    translated,
)
from seresnet.errors import ConfigError, DataError
from seresnet.fence import Fence
from seresnet.files import write_text

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Paths of one study, `<results>/<name>/`."""

    path: Path

    @property
    def database(self) -> Path:
        """The Optuna study."""
        return self.path / "study.db"

    @property
    def study_file(self) -> Path:
        """The resolved study file."""
        return self.path / "study.yaml"

    @property
    def provenance(self) -> Path:
        """What made the study."""
        return self.path / "provenance.json"

    @property
    def submission(self) -> Path:
        """The competition's file."""
        return self.path / "submission.csv"

    @property
    def checkpoints(self) -> Path:
        """One folder a trial."""
        return self.path / "checkpoints"

    @property
    def backups(self) -> Path:
        """Copies of the Optuna study."""
        return self.path / "backups"

    def retrain(self, seed: int) -> Path:
        """Return the folder of one retraining."""
        return self.path / "retrain" / f"seed{seed}"

    def products(self) -> list[Path]:
        """Return the files there are for a person to look at, in the order they are made."""
        names = ("trials.csv", "epochs.csv", "retrain/seed*/model.pt", "submission.csv")
        return [path for name in names for path in sorted(self.path.glob(name))]

    def create(self) -> None:
        """Make the folder and see that it can be written.

        Raises:
            MachineError: it cannot, or is a link to somewhere else.
        """
        if self.path.is_symlink() or not self.path.resolve().is_relative_to(
            self.path.parent.resolve()
        ):
            raise MachineError(
                f"{self.path}: must be a folder of its own in {self.path.parent}, not a link",
                "name the folder itself with --results and --name",
            )
        probe = self.path / f".probe.{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise MachineError(
                f"{self.path}: cannot be written: {error.strerror}",
                "name a folder you may write with --results",
            ) from error

    def clear_checkpoints(self, trials: Sequence[TrialRecord]) -> None:
        """Delete the checkpoints of finished trials, the incumbent's excepted."""
        best = incumbent(trials)
        for trial in trials:
            if trial.is_finished and trial is not best:
                shutil.rmtree(self.checkpoints / trial.id, ignore_errors=True)

    def take_over_checkpoints(self, trials: Sequence[TrialRecord]) -> None:
        """End what an earlier driver has begun: its workers, which may outlive it, write no more.

        Checkpoints of trials that the study lacks, as after a step back to a backup, are deleted:
        new trials would take them for their own.
        """
        for folder in self.checkpoints.glob("t[0-9]*"):
            if not folder.name[1:].isdigit() or folder.is_symlink():
                continue
            if int(folder.name[1:]) >= len(trials):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                Fence.end_all(folder)


@contextmanager
def opened(
    folder: StudyFolder,
    config: StudyConfig,
    images: Mapping[str, object],
    *,
    location: Location | None = None,
    backups: Backups | None = None,
    recovering: bool = False,
) -> Iterator[Ledger]:
    """Hold a study folder as its one driver, and open its study, made where it is missing.

    What the database says while the study is open becomes an error of ours too.

    Args:
        folder: of the study.
        config: the resolved study file.
        images: the report of the study's dataset.
        location: of the database; the folder's own file if none is given.
        backups: takes one at the opening and one at the closing; `note` is the caller's to call.
        recovering: a damaged study is replaced by its newest sound backup.

    Raises:
        MachineError: the folder cannot be written, another driver holds the study, or its
            database does not answer.
        ConfigError: the study there was made with other settings, lies elsewhere, or is not ours
            to recover.
        DataError: it was made with other images, or is not the folder's.
        DamagedStudyError: it is damaged.
    """
    location = location or Location.of_file(folder.database)
    backups = backups or Backups(location.path, folder.backups)
    if recovering and location.path is None:
        raise ConfigError(
            "--recover: must be used with SQLite, a server's backups are its own",
            f"restore the database {location.masked}, then run the same command without --recover",
        )
    folder.create()
    name = STUDY_NAME if location.is_sqlite else folder.path.resolve().name
    with (
        locked(folder.path),
        translated(location),
        database_locked(location, name) as guard,
        _stored(folder, config, location, name, recovering) as (storage, ledger),
    ):
        guard(storage)
        ledger.bind_images(images)
        if not ledger.trials:  # of a study that is gone
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
        folder.take_over_checkpoints(ledger.trials)
        write_text(folder.study_file, dump_study(config))
        set_aside_newer(folder.backups, ledger.num_events)
        backups.take(ledger.num_events)
        try:
            yield ledger
        finally:
            backups.take(ledger.num_events)


@contextmanager
def _stored(
    folder: StudyFolder, config: StudyConfig, location: Location, name: str, recovering: bool
) -> Iterator[tuple[BaseStorage, Ledger]]:
    """Open a study's storage, and a good backup in place of a damaged one if that is wanted."""
    try:
        opening = _open(folder, config, location, name)
        if recovering:
            _log.warning("%s: the study is sound, nothing was recovered", location.masked)
    except DamagedStudyError:
        if not recovering or location.path is None:
            raise
        _log.warning(recover(location.path, folder.backups, _check_backup))
        opening = _open(folder, config, location, name)
    try:
        yield opening
    finally:
        close_storage(opening[0])


def _check_backup(path: Path) -> None:
    """See that a backup is whole, and holds what was stored."""
    quick_check(path)
    storage = sqlite_storage(path)
    try:
        refuse_damage(load_study(storage, STUDY_NAME))
        Ledger.load(storage)
    finally:
        close_storage(storage)


def _open(
    folder: StudyFolder, config: StudyConfig, location: Location, name: str
) -> tuple[BaseStorage, Ledger]:
    """Check the file, and that folder and database belong together, before anything is made."""
    binding = _Binding.read(folder)
    if location.path is not None:
        binding.refuse_missing(location)
        check_study(location.path, folder.backups)
    with translated(location):
        storage = open_storage(location)
        try:
            binding.refuse_foreign(storage, location, name)
            return storage, Ledger.open(storage, config, study_name=name)
        except (ValueError, LookupError, TypeError) as error:
            close_storage(storage)
            # The file is whole for SQLite, but what it holds is not what was stored.
            raise DamagedStudyError(
                f"{location.masked}: the study cannot be read: {error!r}", RECOVER
            ) from error
        except BaseException:
            close_storage(storage)
            raise


@dataclass(frozen=True, slots=True)
class _Binding:
    """Which study a folder belongs to, as its provenance tells; nothing where it tells nothing."""

    folder: StudyFolder
    provenance: dict[str, Any]

    @classmethod
    def read(cls, folder: StudyFolder) -> "_Binding":
        try:
            content = json.loads(folder.provenance.read_text())
        except (OSError, ValueError):
            content = {}
        return cls(folder, content if isinstance(content, dict) else {})

    def refuse_missing(self, location: Location) -> None:
        """Refuse to begin a second study where the folder's own lies in another database."""
        elsewhere = self.provenance.get("storage", location.recorded)
        if location.is_at(self.folder.database) and not self.folder.database.exists():
            if str(elsewhere).startswith("postgresql"):
                raise ConfigError(
                    f"{self.folder.path}: its study lies in {elsewhere}, and no URL was given",
                    f"put the URL into the environment variable {VARIABLE}",
                )
            if elsewhere != location.recorded:
                raise ConfigError(
                    f"{self.folder.path}: its study lies in another file, {elsewhere}",
                    "name that file with --storage",
                )

    def refuse_foreign(self, storage: BaseStorage, location: Location, name: str) -> None:
        """Refuse a database whose study is not the folder's."""
        bound = self.provenance.get("study")
        found = _stored_id(storage, name)
        if bound is None or found == bound:
            return
        if found is None and location.is_at(self.folder.database):
            # Someone deleted the study, to begin anew; a kill before the next start is recorded
            # must not leave the folder bound to the old one.
            content = {key: value for key, value in self.provenance.items() if key != "study"}
            text = json.dumps(content, indent=2, allow_nan=False)
            write_text(self.folder.provenance, f"{text}\n")
            return
        holds = f"holds study {str(found)[:12]}" if found else "holds no study"
        raise DataError(
            f"{self.folder.path}: belongs to study {str(bound)[:12]}, but {location.masked} {holds}"
            f" under the name {name}",
            "name the database that holds the folder's study, or give another study another --name",
        )


def _stored_id(storage: BaseStorage, name: str) -> object:
    try:
        number = storage.get_study_id_from_name(name)
    except KeyError:
        return None
    return storage.get_study_user_attrs(number).get("id")
