"""Copies of an SQLite study, whole and checked, and the way back to the newest good one."""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from search.study.errors import RECOVER, DamagedStudyError, ForeignVersionError
from search.study.storage import BUSY_SECONDS, refusal_of_file
from seresnet.errors import UserError
from seresnet.failpoints import reach
from seresnet.files import sync_folder

_log = logging.getLogger(__name__)
_KEPT = 2
_JOURNALS = ("-journal", "-wal", "-shm")


class Backups:
    """The backups of one study, taken while it runs: at its start, its end, and in between."""

    def __init__(
        self,
        path: Path | None,
        folder: Path,
        *,
        every: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take none yet.

        Args:
            path: the study's SQLite file; None for a server, which has backups of its own.
            folder: of the backups.
            every: seconds that lie between two backups at least.
            clock: seconds that never go back.
        """
        self.path = path
        self.folder = folder
        self._every = every
        self._clock = clock
        self._newest = 0
        self._taken_at: float | None = None

    def note(self, num_events: int) -> None:
        """Take a backup if the last one was taken long enough ago; to be called at trials' ends."""
        if self._taken_at is None or self._clock() - self._taken_at >= self._every:
            self.take(num_events)

    def take(self, num_events: int) -> None:
        """Take a backup, unless the newest one holds as many events.

        One that cannot be taken is warned of: the study itself is well, or will say so.
        """
        if self.path is None or num_events <= self._newest:
            return
        self._taken_at = self._clock()
        try:
            back_up(self.path, self.folder, num_events)
            self._newest = num_events
        except OSError as error:
            _log.warning("no backup of the study was taken: %s", error)
        except UserError as error:
            _log.warning("no backup of the study was taken: %s", error.message)


def quick_check(path: Path) -> None:
    """See that an SQLite file is whole; a missing or an empty one is a study to be made.

    Raises:
        DamagedStudyError: it is damaged or no database; its first complaint is named.
        MachineError: it cannot be read now.
    """
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    # Not read-only: what a killed process left half done is rolled back here, as it must be.
    with _translated(path), closing(_connect(path, "rw")) as database:
        refuse_broken(database, path, path.stat().st_size)


def refuse_broken(database: sqlite3.Connection, path: Path, size: int) -> None:
    """See that a database is whole, and that its file of so many bytes was not cut.

    Raises:
        DamagedStudyError: its first complaint is named, and the path.
    """
    rows = database.execute("PRAGMA quick_check(1)").fetchall()
    page_size = database.execute("PRAGMA page_size").fetchone()[0]
    complaint = " ".join(str(rows[0][0]).split()) if rows else "no answer"
    if complaint == "ok" and size % page_size:
        complaint = "the file is cut"  # SQLite takes what is missing of its last page for zeros
    if complaint != "ok":
        raise DamagedStudyError(f"{path}: the study is damaged: {complaint}", RECOVER)


def check_study(path: Path, backups: Path) -> None:
    """See that a study's file is whole, or that there was no study yet.

    Raises:
        DamagedStudyError: it is damaged, or gone although the study folder knows of a study.
        MachineError: it cannot be read now.
    """
    quick_check(path)
    is_missing = not path.exists()
    if is_missing and any(newest_first(backups)):
        hint = f"{RECOVER}; to begin anew, delete {backups} too"
        raise DamagedStudyError(f"{path}: the study is missing, but has backups", hint)
    had_study = any(newest_first(backups)) or (backups.parent / "trials.csv").exists()
    if not is_missing and path.is_file() and path.stat().st_size == 0 and had_study:
        raise DamagedStudyError(f"{path}: the study is damaged: the file is empty", RECOVER)


def back_up(path: Path, folder: Path, num_events: int) -> Path:
    """Copy a study, which may be in use, whole or not at all; keep the two newest backups.

    Args:
        path: the SQLite file.
        folder: of the backups; made where it is missing.
        num_events: that the study holds. Backups are ordered by it: clocks go wrong.

    Returns:
        The backup's path.

    Raises:
        DamagedStudyError: the study, and so its copy, is damaged.
        MachineError: it cannot be read, or the copy not be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder, ".study.*")
    temporary = folder / f".study.{os.getpid()}.tmp"
    backup = folder / f"study-{num_events:06d}.db"
    try:
        with (
            _translated(path),
            closing(_connect(path, "ro")) as source,
            closing(sqlite3.connect(temporary)) as target,
        ):
            source.backup(target)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        quick_check(temporary)
        reach("before-backup", backup.name)
        temporary.replace(backup)
        sync_folder(folder)
    finally:
        _clear(folder, ".study.*")
    for old in newest_first(folder)[_KEPT:]:
        old.unlink()
    return backup


def recover(path: Path, backups: Path, check: Callable[[Path], object] = quick_check) -> str:
    """Put the newest sound backup in a study's place. Nothing is deleted: files are set aside.

    Args:
        path: the SQLite file.
        backups: their folder.
        check: raises DamagedStudyError for a backup that is to be passed over.

    Returns:
        What was done, for a person.

    Raises:
        DamagedStudyError: there is no sound backup, or the newest is of another version; the study
            is as it was.
    """
    for backup in newest_first(backups):
        try:
            check(backup)
        except ForeignVersionError:
            raise  # the backup is sound, for the program that made it
        except DamagedStudyError as error:
            _log.warning("passed over: %s", error.message)
            _set_aside([backup], "damaged")
            continue
        if backup.stat().st_size:
            break
    else:
        raise DamagedStudyError(
            f"{path}: the study is damaged, and {backups} holds no sound backup",
            "restore the file from a copy, or start another study with --name",
        )
    _clear(path.parent, f".{path.name}.*.tmp")
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.copyfile(backup, staged)
    with staged.open("rb+") as file:
        os.fsync(file.fileno())
    # The journals first: beside another file they would be rolled back into it.
    kept = _set_aside([*_journals(path), path], "damaged")
    reach("in-recovery", path.name)
    staged.replace(path)
    sync_folder(path.parent)
    at = datetime.fromtimestamp(backup.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    left = f"; the damaged file is kept as {kept[-1].name}" if kept else ""
    return f"{path}: recovered from {backup.name} of {at} ({_num_events(backup)} events){left}"


def set_aside_newer(backups: Path, num_events: int) -> None:
    """Take from the row of backups those that hold more than the study does.

    They are of a study that was in its place before: they must neither outlive its own backups
    nor be recovered as its own.
    """
    _set_aside([b for b in newest_first(backups) if _num_events(b) > num_events], "other")


def newest_first(backups: Path) -> list[Path]:
    """Return the backups, those with the most events first."""
    found = [b for b in backups.glob("study-*.db") if b.stem[6:].isdigit()]
    return sorted(found, key=_num_events, reverse=True)


def _clear(folder: Path, pattern: str) -> None:
    """Delete what this process, or one that was killed, left half made: the study is ours alone."""
    for leftover in folder.glob(pattern):
        leftover.unlink(missing_ok=True)


def _num_events(backup: Path) -> int:
    return int(backup.stem[6:])


def _journals(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _JOURNALS]


def _set_aside(paths: list[Path], why: str) -> list[Path]:
    """Rename the files there are to the next number that none of them has; return their names."""
    number = 1
    while any(p.with_name(f"{p.name}.{why}-{number}").exists() for p in paths):
        number += 1
    kept = []
    for path in paths:
        if path.exists():
            kept.append(path.replace(path.with_name(f"{path.name}.{why}-{number}")))
            sync_folder(path.parent)  # in their order, whatever comes next
    return kept


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS
    )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise refusal_of_file(path, str(error)) from error
