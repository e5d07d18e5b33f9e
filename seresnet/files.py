"""Files that are whole or absent: written under a temporary name, synced, renamed."""

import csv
import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from seresnet.failpoints import reach


class _Disk(io.FileIO):
    """A file that remembers what the system refused: `torch.save` makes a RuntimeError of it."""

    refusal: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.refusal = self.refusal or error
            raise


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, or the next start, sees the old one or the new one whole.

    Args:
        path: the final name; its folder is made where it is missing.
        write: is given the open temporary file.

    Raises:
        OSError: the system refused to write, whatever `write` made of that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write_synced(temporary, write)
        reach("before-rename", path.name)
        temporary.replace(path)
        sync_folder(path.parent)
        reach("after-rename", path.name)
    finally:
        temporary.unlink(missing_ok=True)


def _write_synced(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    disk = _Disk(path, "wb")
    try:
        with io.BufferedWriter(disk) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except Exception as error:
        refusal = disk.refusal or error
        if isinstance(refusal, OSError) and refusal.errno and not refusal.filename:
            refusal.filename = str(path)
        if refusal is error:
            raise
        raise refusal from error


def sync_folder(path: Path) -> None:
    """Make the renames in a folder outlast a power cut, where its file system can."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file whole or not at all."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table whole or not at all; a missing value or None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
