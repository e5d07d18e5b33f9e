"""An epoch that never ends: the worker ends itself and leaves its stack behind.

faulthandler's timer is a thread of C, which also runs while the interpreter's lock is held.
"""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")
_FILE = "hung.txt"


def bounded(results: Iterator[T], folder: Path, seconds: float | Literal["none"]) -> Iterator[T]:
    """Yield what `results` yields; the process ends with code 1 where one takes too long.

    Args:
        results: epochs, each computed when it is asked for.
        folder: where the stack is left.
        seconds: for one of them; none: for ever.
    """
    while True:
        with _timer(folder, seconds):
            result = next(results, None)
        if result is None:
            return
        yield result


def hang_place(folder: Path) -> str | None:
    """Return where an earlier process of this run hung, as `file:line`; none if none did."""
    path = folder / _FILE
    text = path.read_text(errors="replace") if path.is_file() else ""
    frames = [line.split('"') for line in text.splitlines() if line.strip().startswith("File ")]
    if not text:
        return None
    own = [frame for frame in frames if "/seresnet/" in frame[1]] or frames
    if not own:
        return "unknown place"
    _, file, rest = own[0]
    return f"{Path(file).name}:{rest.split()[2]}"


@contextmanager
def _timer(folder: Path, seconds: float | Literal["none"]) -> Iterator[None]:
    if seconds == "none":
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _FILE
    with path.open("w") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink(missing_ok=True)
