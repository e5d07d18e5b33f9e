"""One writer a folder: the newest attempt of a run; an older one that still lives writes nothing.

An orphan outlives its driver by seconds. On a CPU its files would be as good as its successor's,
but on a GPU no two runs are bit for bit alike, and a checkpoint must belong to the values reported.
"""

import errno
import fcntl
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FILE = ".attempt"
_CONTENT = re.compile(rb" *(\d{1,18}) ([0-9a-f]{8})\n")
# Some network file systems know no locks: there the check alone stands, and it is nearly as good.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class StaleAttemptError(Exception):
    """A newer attempt of the run has begun: this one is over."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The right of one attempt to write into a run's folder."""

    folder: Path
    attempt: int
    """From 1; of two attempts the larger one is the newer."""

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Begin the next attempt of a folder, made where it is missing."""
        with _locked(folder) as file:
            fence = cls(folder, _read(file) + 1)
            _write(file, fence.attempt)
        return fence

    def claim(self) -> None:
        """Begin this attempt.

        Raises:
            StaleAttemptError: a newer one has begun.
        """
        with _locked(self.folder) as file:
            if _read(file) > self.attempt:
                raise StaleAttemptError(f"{self.folder}: attempt {self.attempt} is over")
            _write(file, self.attempt)

    @staticmethod
    def end_all(folder: Path) -> None:
        """End every attempt of a folder: who has not begun anew writes nothing any more."""
        with _locked(folder) as file:
            _write(file, 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody else begin an attempt while the block gives files their names.

        Raises:
            StaleAttemptError: a newer attempt has begun.
        """
        with _locked(self.folder) as file:
            if _read(file) != self.attempt:
                raise StaleAttemptError(f"{self.folder}: attempt {self.attempt} is over")
            yield


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield file
    finally:
        os.close(file)


def _read(file: int) -> int:
    """Return the newest attempt's number, 0 where none is written whole and undamaged."""
    match = _CONTENT.fullmatch(os.pread(file, 64, 0))
    is_sound = match is not None and int(match[2], 16) == zlib.crc32(match[1])
    return int(match[1]) if match is not None and is_sound else 0


def _write(file: int, attempt: int) -> None:
    """Write the number, with its checksum, in one piece of fixed width: no reader sees a part."""
    digits = b"%d" % attempt
    content = b"%18s %08x\n" % (digits, zlib.crc32(digits))
    os.pwrite(file, content, 0)
    os.ftruncate(file, len(content))  # a damaged file may be longer
    os.fsync(file)
