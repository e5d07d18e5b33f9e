"""The study folder: what lies where, and who clears it."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from search.study.errors import MachineError
from search.study.ledger import Ledger
from search.study.lock import locked
from search.study.records import TrialRecord, incumbent
from search.study.space import StudyConfig, dump_study
from search.study.storage import close_storage, refused_if_damaged, sqlite_storage
from seresnet.files import write_text


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
            MachineError: it cannot.
        """
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


@contextmanager
def opened(
    folder: StudyFolder, config: StudyConfig, images: Mapping[str, object]
) -> Iterator[Ledger]:
    """Hold a study folder as its one driver, and open its study, made where it is missing.

    Args:
        folder: of the study.
        config: the resolved study file.
        images: the report of the study's dataset.

    Raises:
        MachineError: the folder cannot be written, or another driver holds it.
        ConfigError: the study there was made with other settings.
        DataError: it was made with other images.
        DamagedStudyError: `study.db` is no database of this program.
    """
    folder.create()
    with locked(folder.path):
        with refused_if_damaged(folder.database):
            storage = sqlite_storage(folder.database)
            ledger = Ledger.open(storage, config)
        try:
            ledger.bind_images(images)
            if not ledger.trials:
                # Of a study whose database is gone: the new trials would take them for their own.
                shutil.rmtree(folder.checkpoints, ignore_errors=True)
            write_text(folder.study_file, dump_study(config))
            yield ledger
        finally:
            close_storage(storage)
