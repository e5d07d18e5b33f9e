"""Checkpoints: written whole, with a checksum, two kept; resuming equals never stopping."""

import dataclasses
import logging
import os
from contextlib import nullcontext
from pathlib import Path

import torch

from seresnet.config import TrainConfig
from seresnet.epoch import EpochResult
from seresnet.errors import CheckpointError
from seresnet.failpoints import reach
from seresnet.fence import Fence
from seresnet.files import sha256_of, write_atomically, write_text
from seresnet.train import TrainState

_log = logging.getLogger(__name__)
_KEPT = 2


def save(state: TrainState, folder: Path, *, fence: Fence | None = None) -> Path:
    """Write `epoch-0012.pt` and its checksum; delete all but the two newest.

    The checksum stands first: bit rot inside a tensor loads without an error, so a checkpoint
    without its checksum is never trusted.

    Args:
        state: to be saved.
        folder: of this run's checkpoints.
        fence: the attempt that writes; none where nobody else can.

    Returns:
        The checkpoint's path.

    Raises:
        StaleAttemptError: a newer attempt has begun; the folder is as it was.
    """
    path = folder / f"epoch-{state.epoch:04d}.pt"
    content = {
        "config": state.config.fingerprint(),
        "model": state.model.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "history": [dataclasses.asdict(result) for result in state.history],
    }
    staged = folder / f".{path.name}.{os.getpid()}.staged"  # an orphan may be at the same epoch
    write_atomically(staged, lambda file: torch.save(content, file))
    try:
        with fence.held() if fence else nullcontext():
            write_text(_checksum_path(path), f"{sha256_of(staged)}  {path.name}\n")
            reach("in-checkpoint", path.name)
            staged.replace(path)
            for old in _newest_first(folder)[_KEPT:]:
                old.unlink(missing_ok=True)
                _checksum_path(old).unlink(missing_ok=True)
    finally:
        staged.unlink(missing_ok=True)
    reach("after-checkpoint", path.name)
    return path


def load(folder: Path, *, config: TrainConfig, device: torch.device) -> TrainState | None:
    """Return the state of the newest sound checkpoint; none where there is none.

    A damaged one is passed over with a warning: the older serves, or training starts anew. What a
    killed process left half written is deleted: call this once the run is yours alone.

    Raises:
        CheckpointError: a sound checkpoint was written by a run with other settings.
    """
    for leftover in (*folder.glob(".*.staged"), *folder.glob(".*.tmp")):
        leftover.unlink(missing_ok=True)
    for path in _newest_first(folder):
        if not _is_sound(path):
            _log.warning("checkpoint %s is damaged (SHA-256 differs); using an older one", path)
            continue
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["config"] != config.fingerprint():
            raise CheckpointError(
                f"{path}: written by a run with other settings",
                "give this run a folder of its own, or delete that one",
            )
        state = TrainState.create(config, device)
        state.model.load_state_dict(content["model"])
        state.average.load_state_dict(content["average"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.history = [EpochResult(**result) for result in content["history"]]
        return state
    return None


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.pt"), reverse=True)


def _is_sound(path: Path) -> bool:
    checksum = _checksum_path(path)
    return checksum.is_file() and checksum.read_bytes().split()[:1] == [sha256_of(path).encode()]
