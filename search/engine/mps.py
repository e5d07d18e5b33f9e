"""NVIDIA's Multi-Process Service: processes on one GPU compute at the same time, not in turns.

Its daemon is private to a command, in a folder of its own: another's daemon is neither used nor
ended, and processes that were not told of it share the GPU as if there were none.

Source: https://docs.nvidia.com/deploy/mps/
"""

import logging
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_log = logging.getLogger(__name__)

PROGRAM = "nvidia-cuda-mps-control"
PIPE_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY"
_LOG_VARIABLE = "CUDA_MPS_LOG_DIRECTORY"
_NEEDED_VARIABLES = ("PATH", "HOME", "LD_LIBRARY_PATH", "LANG")
# Half of what a signal leaves: `quit` waits for the processes that still compute.
_PATIENCE_SECONDS = 10.0


class MpsRefusedError(Exception):
    """There is no daemon to be had; the message says why."""


class Daemon:
    """A private MPS daemon: started when asked for, ended with the `with` block or before.

    Args:
        is_local: whether all workers run on this machine.
    """

    def __init__(self, *, is_local: bool) -> None:
        self._is_local = is_local
        self._folder: Path | None = None
        self._program = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start it unless it runs; return its pipe, for `join`.

        Raises:
            MpsRefusedError: with the reason.
        """
        if self._folder is None:
            self._program = self._find_program()
            self._folder = Path(tempfile.mkdtemp(prefix="search-mps-"))  # its owner's alone
            try:
                _pipe(self._folder).mkdir()
                (self._folder / "log").mkdir()
                _control(self._folder, [self._program, "-d"])
            except MpsRefusedError:
                with suppress(MpsRefusedError):  # one that came too late
                    _control(self._folder, [self._program], words="quit\n")
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
                raise
        return str(_pipe(self._folder))

    def stop(self) -> None:
        """End it, if it was started, by its own command; a warning says how where it stays."""
        if self._folder is None:
            return
        folder, self._folder = self._folder, None
        try:
            _control(folder, [self._program], words="quit\n")
        except MpsRefusedError as error:
            by_hand = f"echo quit | {PIPE_VARIABLE}={_pipe(folder)} {PROGRAM}"
            _log.warning("the MPS daemon has not ended yet: %s; to end it: %s", error, by_hand)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _find_program(self) -> str:
        if not self._is_local:
            raise MpsRefusedError("not tried on a cluster")
        if os.environ.get(PIPE_VARIABLE):
            raise MpsRefusedError(f"not tried: {PIPE_VARIABLE} names a daemon of yours")
        path = shutil.which(PROGRAM)
        if path is None:
            raise MpsRefusedError(f"not tried: no {PROGRAM} on PATH")
        return path


def join(pipe: str | None) -> None:
    """Let this process use the daemon behind a pipe, if any; before its first call to CUDA.

    CUDA reads the variable once, when it is initialised.
    """
    if pipe is not None:
        os.environ[PIPE_VARIABLE] = pipe


def _pipe(folder: Path) -> Path:
    return folder / "pipe"


def _control(folder: Path, command: list[str], *, words: str = "") -> None:
    """Run the control program for the daemon of a folder.

    Raises:
        MpsRefusedError: it failed, or took too long.
    """
    # No passwords, and no CUDA_VISIBLE_DEVICES: the daemon would number what it sees from 0, while
    # Ray's workers name GPUs as the machine does.
    kept = {name: os.environ[name] for name in _NEEDED_VARIABLES if name in os.environ}
    places = {PIPE_VARIABLE: str(_pipe(folder)), _LOG_VARIABLE: str(folder / "log")}
    said = folder / "said.txt"
    try:
        # To a file: where a daemon keeps a pipe of ours open, its end would be waited for.
        with said.open("w") as file:
            subprocess.run(
                command,
                input=words,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**kept, **places},
                text=True,
                timeout=_PATIENCE_SECONDS,
                check=True,
            )
    except subprocess.TimeoutExpired:
        raise MpsRefusedError(f"no answer within {_PATIENCE_SECONDS:g} s") from None
    except (OSError, subprocess.CalledProcessError) as error:
        text = " ".join(said.read_text(errors="replace").split()) if said.exists() else ""
        raise MpsRefusedError(f"refused: {text[:200] or error}") from error
