"""Where a study lies: one SQLite file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from search.study.errors import DamagedStudyError, MachineError

_BUSY_SECONDS = 60  # a dashboard may read while the driver writes


def sqlite_storage(path: Path) -> BaseStorage:
    """Return Optuna's storage on one SQLite file, made where it is missing."""
    url = URL.create("sqlite", database=str(path)).render_as_string()
    return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _BUSY_SECONDS}})


def close_storage(storage: BaseStorage) -> None:
    """Let go of the database file; storage in memory has none."""
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


@contextmanager
def refused_if_damaged(path: Path) -> Iterator[None]:
    """Turn SQLite's complaints about a file into errors that say what to do.

    Raises:
        MachineError: the file cannot be read or written now: locked, no permission, no space.
        DamagedStudyError: it is no database, or a damaged one.
    """
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).lower()
        if isinstance(error, OperationalError):
            hint = "end what else holds it open, or free space; then run the same command again"
            raise MachineError(f"{path}: {reason}", hint) from error
        hint = "restore the file from a copy, or start another study with --name"
        raise DamagedStudyError(f"{path}: {reason}", hint) from error
