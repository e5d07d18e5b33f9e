"""A study opened by those who only look: no lock, nothing made, nothing written.

What is read is the study of one moment, although a driver may be writing: an SQLite file is copied
into memory in one read transaction, of some milliseconds, and a server is asked in one transaction.
Read piece by piece, what came in between would look like damage.
"""

import gc
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, get_storage
from sqlalchemy import StaticPool

from search.study.backup import refuse_broken
from search.study.binding import Binding
from search.study.errors import RECOVER, DamagedStudyError
from search.study.folder import StudyFolder
from search.study.storage import (
    BUSY_SECONDS,
    Location,
    close_storage,
    locate,
    open_storage,
    translated,
)
from seresnet.errors import DataError

_LOOKS = 3  # at a file that changes while it is copied
_ONE_MOMENT = {
    "isolation_level": "REPEATABLE READ",
    "execution_options": {"postgresql_readonly": True},
}


@contextmanager
def read(folder: StudyFolder, flag: str | None = None) -> Iterator[tuple[BaseStorage, str]]:
    """Yield a study that exists, as it is at this moment, and its name in the storage.

    Args:
        folder: of the study.
        flag: the value of `--storage`.

    Raises:
        ConfigError: the folder's study lies in another database, which is named.
        DataError: the folder holds no study.
        DamagedStudyError: its file is no database, or a damaged one.
        MachineError: its database cannot be read now.
    """
    location = locate(flag, folder.database)
    Binding.read(folder).refuse_missing(location)
    if location.path is not None and not location.path.is_file():
        raise DataError(
            f"{folder.path}: holds no study ({_named(location.path, folder)} is missing)",
            "name a folder such as results/demo",
        )
    name = folder.study_name(location)
    with _with_remedy(), translated(location):
        if location.path is None:
            yield _copy_from_server(location, name), name
            return
        copy = _copy_of_file(location.path)
        storage = open_storage(location, {"creator": lambda: copy, "poolclass": StaticPool})
        try:
            yield get_storage(storage), name  # reads each finished trial once
        finally:
            close_storage(storage)


@contextmanager
def without_collections() -> Iterator[None]:
    """Let nobody look for garbage while a large study is read: that takes longer than to read it.

    All the rows are kept until they are trials, and are looked through again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _with_remedy() -> Iterator[None]:
    """Name the command that mends a damaged study: those who only look cannot."""
    try:
        yield
    except DamagedStudyError as error:
        hint = error.hint.replace(RECOVER, RECOVER.replace("the same command", "search.tune"))
        raise type(error)(error.message, hint) from error


def _named(path: Path, folder: StudyFolder) -> str:
    """Return the name of a file in the study folder, the path of any other."""
    return path.name if path.parent == folder.path else str(path)


def _copy_from_server(location: Location, name: str) -> BaseStorage:
    """Return the study alone, in memory; an empty storage where the server holds none."""
    storage, copy = open_storage(location, _ONE_MOMENT), InMemoryStorage()
    try:
        optuna.copy_study(
            from_study_name=name, from_storage=storage, to_storage=copy, to_study_name=name
        )
    except KeyError:
        return InMemoryStorage()
    finally:
        close_storage(storage)
    return copy


def _copy_of_file(path: Path) -> sqlite3.Connection:
    """Return a copy in memory of an SQLite file, which is opened for reading only.

    A journal that a killed driver has left cannot be rolled back then: that is done to a copy.
    """
    for look in range(1, _LOOKS + 1):
        try:
            return _in_memory(path, "ro", path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK" or look == _LOOKS:
                raise
        with TemporaryDirectory(prefix="search-read-") as scratch:
            if twin := _copy_with_journal(path, Path(scratch)):
                return _in_memory(twin, "rw", path)
    raise AssertionError  # the last look returns or raises


def _in_memory(source: Path, mode: str, path: Path) -> sqlite3.Connection:
    """Copy a database into memory, and see that it is whole; complaints name the path."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)  # the pool hands it on
    url = f"{source.absolute().as_uri()}?mode={mode}"
    try:
        with closing(
            sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        ) as database:
            # The copying alone would wait without end for somebody who holds the file.
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            size = source.stat().st_size
            database.backup(memory)
        refuse_broken(memory, path, size)
    except BaseException:
        memory.close()
        raise
    return memory


def _copy_with_journal(path: Path, scratch: Path) -> Path | None:
    """Copy a database and its journal; None if either changed meanwhile, or is gone."""
    files = [path, path.with_name(f"{path.name}-journal")]
    try:
        before = [_mark(file) for file in files]
        for file in files:
            shutil.copyfile(file, scratch / file.name)
        is_whole = [_mark(file) for file in files] == before
    except FileNotFoundError:  # a driver has rolled it back
        return None
    return scratch / path.name if is_whole else None


def _mark(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
