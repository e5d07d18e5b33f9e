"""One driver a study: a lock that dies with its process."""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from search.study.errors import MachineError


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
        json.dump({"host": platform.node(), "pid": os.getpid(), "since": now}, file)
        file.flush()
        yield


def _owner(text: str) -> str:
    try:
        record = json.loads(text)
        return f"process {record['pid']} on {record['host']} since {record['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
