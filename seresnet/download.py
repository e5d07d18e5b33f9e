"""CIFAR-10 from its home page, by way of torchvision."""

import errno
import http.client
import logging
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch

from seresnet.data import BATCHES_FOLDER, load_labelled
from seresnet.errors import DataError

_log = logging.getLogger(__name__)

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_DISK_ERRORS = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


def download(root: Path, *, timeout: float = 30.0) -> None:
    """Fetch CIFAR-10 into `root`, unless the five batches there can already be read.

    torchvision checks the archive's md5 and shows its progress on stderr. The files arrive in a
    hidden folder and move into place when they are complete, so an interrupted download leaves
    nothing that could pass for data.

    Args:
        root: the folder that will hold `cifar-10-batches-py`; made where it is missing.
        timeout: seconds without an answer after which the network counts as unreachable, > 0.

    Raises:
        DataError: if torchvision cannot be imported, the network cannot be reached, what came is
            not the archive, or the folder cannot be written.
    """
    if _is_readable(root):
        _log.info("%s: CIFAR-10 is already there", root)
        return
    dataset = import_cifar10()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as scratch:
            with _socket_timeout(timeout), redirect_stdout(sys.stderr):
                dataset(scratch, download=True)
            _move(Path(scratch) / BATCHES_FOLDER, root / BATCHES_FOLDER)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise _explain(root, error) from error


def _is_readable(root: Path) -> bool:
    try:
        load_labelled(root)
    except DataError:
        return False
    return True


def import_cifar10() -> Any:
    """Return torchvision's CIFAR10 class.

    The torchvision of the package index is built for CUDA. Beside a CPU-only torch its compiled
    part does not load, and the import then fails on two operators that nothing here calls:
    `operator torchvision::nms does not exist`. Declaring them is enough, but only once the import
    has failed: where the compiled part loads, it declares them itself and a second declaration
    would end the process.
    """
    try:
        try:
            from torchvision.datasets import CIFAR10
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            _declare_operators()
            from torchvision.datasets import CIFAR10
    except (ImportError, OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"torchvision: cannot be imported beside torch {torch.__version__}: {reason}",
            hint=f"download {URL} by hand and unpack it into the data folder, "
            "or install the torchvision build that matches torch",
        ) from error
    return CIFAR10


def _declare_operators() -> None:
    """Declare, without an implementation, the operators that torchvision's import asks for."""
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            # torch.library.define keeps its Library alive; a local one would take the name along
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Give sockets made inside a time limit: torchvision sets none and would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _move(source: Path, target: Path) -> None:
    """Rename the complete set to `target`; into it, file by file, where an unreadable set lies."""
    if not target.exists():
        source.rename(target)
        return
    _log.warning("%s: replacing the files there, which could not all be read", target)
    for path in sorted(source.iterdir()):
        path.replace(target / path.name)


def _explain(root: Path, error: Exception) -> DataError:
    """Return one line that tells a full disk from a missing network and from a wrong archive."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return DataError(
            f"{root}: cannot write CIFAR-10 here: {error.strerror}",
            hint="name a folder with 400 MB of room that you may write to with --data",
        )
    rule = "the network is not reachable"
    if isinstance(error, RuntimeError):
        rule = "the network did not deliver the published archive"
    return DataError(
        f"{root}: cannot download CIFAR-10, {rule}: {reason}",
        hint=f"download {URL} by hand and unpack cifar-10-python.tar.gz into {root}",
    )
