"""One driver a study: locks that die with their process."""

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import NullPool, create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from search.study.errors import MachineError
from search.study.storage import Location, connect_arguments

Guard = Callable[[BaseStorage], None]


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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineError(
                f"{folder}: the study is in use by {_owner(file.read())}",
                "wait for it, or give this study another --name",
            ) from error
        file.seek(0)
        file.truncate()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"host": platform.node(), "pid": os.getpid(), "since": now}
        json.dump(owner, file, allow_nan=False)
        file.flush()
        yield


def _owner(mark: str) -> str:
    try:
        record = json.loads(mark)
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def database_locked(location: Location, study_name: str) -> Iterator[Guard]:
    """Hold a study in a shared database: two folders of one name may lie on two machines.

    The server frees the lock when its connection ends. An SQLite file needs none: the folder is
    locked.

    Yields:
        What is to be called with the storage: it then makes no connection once the lock is lost,
        as it is when the server starts anew.

    Raises:
        MachineError: another driver holds the study, and where it runs is named.
    """
    if location.is_sqlite:
        yield lambda storage: None
        return
    name = f"search process {os.getpid()} on {platform.node()}"
    engine = create_engine(
        location.bare,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={**connect_arguments(location), "application_name": name[:63]},
    )
    key = int.from_bytes(hashlib.sha256(study_name.encode()).digest()[:8], signed=True)
    with engine.connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            holder = _holder(connection, key)
            raise MachineError(
                f"{location.masked}: the study {study_name} is in use by {holder}",
                "wait for it, or give this study another --name",
            )

        def refuse_if_lost(*_: object) -> None:
            try:
                connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                raise MachineError(
                    f"{location.masked}: the server has ended the connection that held the study",
                    "run the same command again",
                ) from None

        def guard(storage: BaseStorage) -> None:
            if isinstance(storage, RDBStorage):
                event.listen(storage.engine, "connect", refuse_if_lost)

        try:
            yield guard
        finally:
            connection.invalidate()  # closes it at once, also where the server is gone


def _holder(connection: Connection, key: int) -> str:
    """Say who holds an advisory lock, as far as the server tells."""
    query = text(
        "SELECT application_name, client_addr FROM pg_stat_activity JOIN pg_locks USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND classid::bigint = :high AND objid::bigint = :low"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    halves = {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
    row = connection.execute(query, halves).first()
    if row is None or not row.application_name:
        return "another driver"
    place = f" (address {row.client_addr})" if row.client_addr else ""
    return f"{row.application_name}{place}"
