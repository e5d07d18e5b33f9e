"""Room on the disk: asked for before a search begins, not met in the middle of it."""

import math
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from search.study.errors import MachineError

_MB = 10**6
_REST = 64 * _MB
"""For the study, its backups and the tables."""


def checkpoint_bytes(num_parameters: int, slots: int, *, present: int = 0) -> int:
    """Return the bytes that a search still needs.

    Args:
        num_parameters: of the network; weights, their average and the momentum are four bytes each.
        slots: trials at once, each with two checkpoints that stay and one that is being written.
        present: bytes of the checkpoints that an earlier start has left; they are written over.
    """
    return max(num_parameters * 4 * 3 * (2 + 1) * slots - present, 0) + _REST


@dataclass(frozen=True, slots=True)
class Usage:
    """What the files below a folder take, and when the last of them was changed."""

    num_bytes: int
    last_change: datetime | None
    """UTC; None where there is no file."""


def usage(folder: Path) -> Usage:
    """Return what all files below a folder take, which need not exist and may be written to."""
    total, newest = 0, None
    for place, _, names in os.walk(folder):  # passes over a folder that is deleted meanwhile
        for name in names:
            with suppress(OSError):
                status = Path(place, name).lstat()
                if stat.S_ISREG(status.st_mode):
                    total += status.st_size
                    newest = max(newest or 0.0, status.st_mtime)
    return Usage(total, None if newest is None else datetime.fromtimestamp(newest, UTC))


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files below a folder, which need not exist."""
    return usage(folder).num_bytes


def free_bytes(folder: Path) -> int:
    """Return the room on the disk of a folder, which need not exist yet; bytes."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def require_space(folder: Path, needed_bytes: int) -> None:
    """See that the disk of a folder, which need not exist yet, has room.

    Raises:
        MachineError: it has less.
    """
    free = free_bytes(folder)
    if free < needed_bytes:
        have, need = free // _MB, math.ceil(needed_bytes / _MB)
        raise MachineError(
            f"not enough space in {folder}: {have} MB free, {need} MB needed",
            "free space, or name a folder on another disk with --results",
        )
