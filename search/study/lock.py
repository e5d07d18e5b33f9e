"""One driver a study: locks that die with their process."""

import fcntl
import hashlib
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from search.study.errors import MachineError
from search.study.storage import Location, connect_arguments

Guard = Callable[[BaseStorage], None]
_LOOK_SECONDS = 5.0  # between two looks at the lock's own connection, at least
_TRIES, _PAUSE = 5, 0.02  # of a driver: whoever asks for its driver holds a study for an instant


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the study folder; the kernel frees the lock however the process ends.

    Raises:
        MachineError: another driver holds it, and its host, process and start are named; or the
            lock's file is not ours to open.
    """
    path = folder / ".lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise MachineError(
            f"{path}: the lock cannot be taken: {error.strerror}",
            "let the file belong to you, or give this study another --name",
        ) from error
    with os.fdopen(descriptor, "r+") as file:
        if not _is_taken(file):
            raise MachineError(
                f"{folder}: the study is in use by {_owner(file.read())}",
                "wait for it, or give this study another --name",
            )
        file.seek(0)
        file.truncate()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"host": platform.node(), "pid": os.getpid(), "since": now}
        json.dump(owner, file, allow_nan=False)
        file.flush()
        yield


def driver_of(folder: Path) -> str | None:
    """Return who holds a study folder now; nothing where nobody does, None where none can tell.

    The kernel can be asked by trying alone: the lock is shared for an instant, which a driver that
    starts just then waits for. Nothing is written, and nothing made.
    """
    try:
        descriptor = os.open(folder / ".lock", os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return ""  # every driver makes one
    except OSError:
        return None
    with os.fdopen(descriptor) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner(file.read())
        except OSError:  # a file system without locks
            return None
    return ""


def _is_taken(file: IO[str]) -> bool:
    """Take the lock, unless it is held by more than a glance."""
    for attempt in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE)
        else:
            return True
    return False


def _owner(mark: str) -> str:
    try:
        record = json.loads(mark)
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def database_locked(
    location: Location, study_name: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Guard]:
    """Hold a study in a shared database: two folders of one name may lie on two machines.

    The server frees the lock when its connection ends. An SQLite file needs none: the folder is
    locked.

    Args:
        location: of the study.
        study_name: in the database.
        clock: seconds that never go back.

    Yields:
        What is to be called with the storage: once the lock is lost, as when the server starts
        anew or ends the lock's connection alone, the storage makes no connection, and uses those
        it has for a few seconds at most.

    Raises:
        MachineError: another driver holds the study, and where it runs is named.
    """
    if location.is_sqlite:
        yield lambda storage: None
        return
    key = _key(study_name)
    with _engine(location).connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            holder = _holder(connection, key) or "another driver"
            raise MachineError(
                f"{location.masked}: the study {study_name} is in use by {holder}",
                "wait for it, or give this study another --name",
            )

        try:
            yield _Watch(connection, location, clock).guard
        finally:
            connection.invalidate()  # closes it at once, also where the server is gone


def database_driver(location: Location, study_name: str) -> str:
    """Return who holds a study in a shared database, nothing where nobody does; only asks."""
    with _engine(location).connect() as connection:
        return _holder(connection, _key(study_name))


def _engine(location: Location) -> Engine:
    name = f"search process {os.getpid()} on {platform.node()}"
    return create_engine(
        location.bare,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={**connect_arguments(location), "application_name": name[:63]},
    )


def _key(study_name: str) -> int:
    return int.from_bytes(hashlib.sha256(study_name.encode()).digest()[:8], signed=True)


class _Watch:
    """Looks whether the connection that holds an advisory lock is alive."""

    def __init__(
        self, connection: Connection, location: Location, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._location = location
        self._clock = clock
        self._alive_at = clock()
        self._one_at_a_time = threading.Lock()

    def guard(self, storage: BaseStorage) -> None:
        """Let a storage make no connection, and soon use none, once the lock is lost."""
        if isinstance(storage, RDBStorage):
            event.listen(storage.engine, "connect", self._refuse_if_lost)
            event.listen(storage.engine, "checkout", self._look_now_and_then)

    def _look_now_and_then(self, *_: object) -> None:
        # The server may end this connection alone: an idle one's time-out, an administrator.
        if self._clock() - self._alive_at >= _LOOK_SECONDS:
            self._refuse_if_lost()

    def _refuse_if_lost(self, *_: object) -> None:
        try:
            with self._one_at_a_time:
                self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise MachineError(
                f"{self._location.masked}: the server has ended the connection that held the study",
                "run the same command again",
            ) from None
        self._alive_at = self._clock()  # not where it is lost: every later use is refused too


def _holder(connection: Connection, key: int) -> str:
    """Say who holds an advisory lock, as far as the server tells; nothing where nobody does."""
    query = text(
        "SELECT application_name, client_addr FROM pg_stat_activity JOIN pg_locks USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND classid::bigint = :high AND objid::bigint = :low"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    halves = {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
    row = connection.execute(query, halves).first()
    if row is None:
        return ""
    if not row.application_name:
        return "another driver"
    place = f" (address {row.client_addr})" if row.client_addr else ""
    return f"{row.application_name}{place}"
