"""The study folder: what lies where, and who clears it."""

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from optuna.storages import BaseStorage

from search.study.backup import Backups, check_study, quick_check, recover, set_aside_newer
from search.study.binding import Binding
from search.study.errors import RECOVER, DamagedStudyError, ForeignVersionError, MachineError
from search.study.header import STUDY_NAME, load_study, refuse_damage
from search.study.ledger import Ledger
from search.study.lock import database_locked, locked
from search.study.records import TrialRecord, incumbent
from search.study.space import StudyConfig, dump_study
from search.study.storage import Location, close_storage, open_storage, translated
from seresnet.errors import ConfigError
from seresnet.fence import Fence
from seresnet.files import write_text

_log = logging.getLogger(__name__)
# What a killed process leaves: of `seresnet.files`, `backup.recover`, `create` and `engine.nodes`.
_LEFTOVER = re.compile(
    r"\.([\w-]+\.(csv|json|yaml|html)|study\.db)\.\d+\.tmp"
    r"|\.probe\.\d+|\.probe-[0-9a-f]{16}"
)


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
    def confirmation(self) -> Path:
        """Who won on fresh seeds."""
        return self.path / "confirm.json"

    @property
    def confirm(self) -> Path:
        """One folder a run of the confirmation."""
        return self.path / "confirm"

    @property
    def ablation(self) -> Path:
        """Which of the winner's settings are needed."""
        return self.path / "ablate.json"

    @property
    def ablate(self) -> Path:
        """One folder a run of the ablation."""
        return self.path / "ablate"

    @property
    def submission(self) -> Path:
        """The competition's file."""
        return self.path / "submission.csv"

    @property
    def report(self) -> Path:
        """The study as a page."""
        return self.path / "report.html"

    @property
    def checkpoints(self) -> Path:
        """One folder a trial."""
        return self.path / "checkpoints"

    @property
    def backups(self) -> Path:
        """Copies of the Optuna study."""
        return self.path / "backups"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files, one folder a trial."""
        return self.path / "tensorboard"

    def study_name(self, location: Location) -> str:
        """Return the study's name in its database, which others may share if it is a server's."""
        return STUDY_NAME if location.is_sqlite else self.path.resolve().name

    def retrain(self, seed: int) -> Path:
        """Return the folder of one retraining."""
        return self.path / "retrain" / f"seed{seed}"

    def products(self) -> list[Path]:
        """Return the files there are for a person to look at, in the order they are made."""
        names = ["trials.csv", "epochs.csv", "confirm.csv", "ablate.csv"]
        names += ["retrain/seed*/model.pt", "submission*.csv", "report.html"]
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
            probe.unlink(missing_ok=True)  # a driver that holds the folder may have cleared it
        except OSError as error:
            raise MachineError(
                f"{self.path}: cannot be written: {error.strerror}",
                "name a folder you may write with --results",
            ) from error

    def clear_leftovers(self) -> None:
        """Delete what killed processes left half made; for the folder's one driver to call."""
        for path in self.path.iterdir():
            if not _LEFTOVER.fullmatch(path.name):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def clear_checkpoints(self, trials: Sequence[TrialRecord]) -> None:
        """Delete the checkpoints of finished trials, the incumbent's excepted."""
        best = incumbent(trials)
        ended = {t.id for t in trials if t.is_finished and t is not best}
        for folder in self.checkpoints.glob("t[0-9]*"):  # few are there, however many have ended
            if folder.name in ended:
                shutil.rmtree(folder, ignore_errors=True)

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
        DamagedStudyError: it is damaged; ForeignVersionError: it is of another version, which
            `recovering` does not change.
    """
    location = location or Location.of_file(folder.database)
    backups = backups or Backups(location.path, folder.backups)
    if recovering and location.path is None:
        raise ConfigError(
            "--recover: must be used with SQLite, a server's backups are its own",
            f"restore the database {location.masked}, then run the same command without --recover",
        )
    folder.create()
    name = folder.study_name(location)
    with (
        locked(folder.path),
        translated(location),
        database_locked(location, name) as guard,
        _stored(folder, config, location, name, recovering) as (storage, ledger),
    ):
        guard(storage)
        folder.clear_leftovers()
        ledger.bind_images(images)
        if not ledger.trials:  # of a study that is gone
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
        folder.take_over_checkpoints(ledger.trials)
        write_text(folder.study_file, dump_study(config))
        set_aside_newer(folder.backups, ledger.num_events)
        backups.take(ledger.num_events)
        try:
            yield ledger
            ledger.keep_time()
        except KeyboardInterrupt:
            ledger.keep_time()  # not after errors, which the database may be the cause of
            raise
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
    except ForeignVersionError:
        raise  # the study is sound: the program that made it goes on with it
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
    location = Location.of_file(path)
    with translated(location):
        quick_check(path)
        storage = open_storage(location)
        try:
            with readable(location):
                refuse_damage(load_study(storage, STUDY_NAME))
                Ledger.load(storage)
        finally:
            close_storage(storage)


@contextmanager
def readable(location: Location) -> Iterator[None]:
    """A file may be whole for SQLite, though what it holds is not what was stored."""
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedStudyError(
            f"{location.masked}: the study cannot be read: {error!r}", RECOVER
        ) from error


def _open(
    folder: StudyFolder, config: StudyConfig, location: Location, name: str
) -> tuple[BaseStorage, Ledger]:
    """Check the file, and that folder and database belong together, before anything is made."""
    binding = Binding.read(folder)
    if location.path is not None:
        binding.refuse_missing(location)
        check_study(location.path, folder.backups)
    with translated(location):
        storage = open_storage(location)
        try:
            with readable(location):
                binding.refuse_foreign(storage, location, name)
                return storage, Ledger.open(storage, config, study_name=name)
        except BaseException:
            close_storage(storage)
            raise
