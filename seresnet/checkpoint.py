"""Checkpoints: written whole, with a checksum, two kept; resuming equals never stopping."""

import dataclasses
import logging
import os
import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seresnet.config import TrainConfig
from seresnet.epoch import EpochResult
from seresnet.errors import CheckpointError
from seresnet.failpoints import reach
from seresnet.fence import Fence
from seresnet.files import sha256_of, sync_folder, write_atomically, write_text
from seresnet.model_file import first_line, load_weights, num_not_finite
from seresnet.train import DivergedError, TrainState

_log = logging.getLogger(__name__)
_NAME = re.compile(r"epoch-(\d{4,9})\.pt")
_DELETE_IT = "delete it to go on from an older one, then run the same command again"


def save(state: TrainState, folder: Path, *, fence: Fence | None = None) -> Path:
    """Write `epoch-0012.pt` and its checksum; delete all others but the one before.

    The checksum stands first: bit rot inside a tensor loads without an error, so a checkpoint
    without its checksum is never trusted.

    Args:
        state: to be saved.
        folder: of this run's checkpoints.
        fence: the attempt that writes; none where nobody else can.

    Returns:
        The checkpoint's path.

    Raises:
        DivergedError: a weight is not finite, which the losses need not have shown.
        StaleAttemptError: a newer attempt has begun; the folder is as it was.
    """
    path = folder / f"epoch-{state.epoch:04d}.pt"
    weights = {"model": state.model.state_dict(), "average": state.average.state_dict()}
    content = {
        "config": state.config.fingerprint(),
        **weights,
        "momentum": state.learned.named_momentum(),
        "history": [dataclasses.asdict(result) for result in state.history],
    }
    if not state.learned.is_finite():
        raise DivergedError(state.epoch, "weights not finite")
    staged = folder / f".{path.name}.{os.getpid()}.staged"  # an orphan may be at the same epoch
    write_atomically(staged, lambda file: torch.save(content, file))
    try:
        with fence.held() if fence else nullcontext():
            write_text(_checksum_path(path), _checksum(staged, path.name))
            reach("in-checkpoint", path.name)
            staged.replace(path)
            sync_folder(folder)
            _delete_all_but_two(folder, epoch=state.epoch)
    finally:
        staged.unlink(missing_ok=True)
    reach("after-checkpoint", path.name)
    return path


def load(folder: Path, *, config: TrainConfig, device: torch.device) -> TrainState | None:
    """Return the state of the newest sound checkpoint; none where there is none.

    A damaged one is passed over with a warning: the older serves, or training starts anew. What a
    killed process left half written is deleted: call this once the run is yours alone.

    Raises:
        CheckpointError: a sound checkpoint was written by a run with other settings, or by a
            program that this one does not understand; or the folder is a link.
    """
    refuse_link(folder)
    clear_leftovers(folder)
    damaged: list[str] = []
    for epoch, path in _newest_first(folder):
        if reason := _damage(path):
            damaged.append(f"checkpoint epoch {epoch} of {folder} is damaged ({reason})")
            continue
        _warn(damaged, f"using epoch {epoch}")
        return _read(path, epoch, config, device)
    _warn(damaged, "training from the start")
    return None


def refuse_link(folder: Path) -> None:
    """Refuse a symbolic link in place of a folder, through which files would be written elsewhere.

    Raises:
        CheckpointError: it is one.
    """
    if folder.is_symlink():
        raise CheckpointError(
            f"{folder}: is a symbolic link, which may lead anywhere",
            "put a folder in its place, then run the same command again",
        )


def clear_leftovers(folder: Path) -> None:
    """Delete what a killed process left half written in a folder, and checksums of no file."""
    for leftover in (*folder.glob(".*.staged"), *folder.glob(".*.tmp")):
        leftover.unlink(missing_ok=True)
    for checksum in folder.glob("epoch-*.sha256"):
        if not checksum.with_suffix(".pt").exists():
            checksum.unlink(missing_ok=True)


def _read(path: Path, epoch: int, config: TrainConfig, device: torch.device) -> TrainState:
    """Return the state that a checkpoint holds, its bytes being those that were written."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        fingerprint, momentum = content["config"], content["momentum"]
        weights = {name: content[name] for name in ("model", "average")}
        history = [EpochResult(**result) for result in content["history"]]
        if [result.epoch for result in history] != list(range(1, epoch + 1)):
            raise ValueError(f"its history is not that of epochs 1 to {epoch}")
    except Exception as error:
        # The bytes are sound: another version's file, or not a checkpoint of ours at all.
        raise CheckpointError(
            f"{path}: cannot load this checkpoint: {first_line(error)}", _DELETE_IT
        ) from error
    if fingerprint != config.fingerprint():
        raise CheckpointError(
            f"{path}: written by a run with other settings",
            "give this run a folder of its own, or delete that one",
        )
    state = TrainState.create(config, device)
    load_weights(state.model, weights["model"], str(path))
    load_weights(state.average, weights["average"], str(path))
    _load_momentum(state, momentum, path)
    state.history = history
    return state


def _load_momentum(state: TrainState, momentum: Mapping[str, Tensor], path: Path) -> None:
    ours = state.learned.named_momentum()
    try:
        for name in ours.keys() | momentum.keys():
            if momentum[name].shape != ours[name].shape or num_not_finite([momentum[name]]):
                raise ValueError("a momentum is of another shape or not finite")
            ours[name].copy_(momentum[name])
    except Exception as error:
        raise CheckpointError(
            f"{path}: cannot load this checkpoint: {first_line(error)}", _DELETE_IT
        ) from error


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _checksum(content: Path, name: str) -> str:
    """Return what `sha256sum` would say of a file's content under a name."""
    return f"{sha256_of(content)}  {name}\n"


def _newest_first(folder: Path) -> list[tuple[int, Path]]:
    """Return each checkpoint with its epoch; by number, not by name or by time."""
    files = [path for path in folder.glob("epoch-*.pt") if path.is_file()]
    found = [(_NAME.fullmatch(path.name), path) for path in files]
    return sorted(((int(match[1]), path) for match, path in found if match), reverse=True)


def _delete_all_but_two(folder: Path, *, epoch: int) -> None:
    """Delete old checkpoints, and those beyond `epoch`: damaged ones, or they would be older."""
    checkpoints = _newest_first(folder)
    kept = [path for number, path in checkpoints if number <= epoch][:2]
    for _, path in checkpoints:
        if path not in kept:
            path.unlink(missing_ok=True)
            _checksum_path(path).unlink(missing_ok=True)


def _damage(path: Path) -> str:
    """Return what is wrong with the bytes of a checkpoint, or nothing."""
    checksum = _checksum_path(path)
    if not checksum.is_file():
        return "checksum missing"
    is_sound = checksum.read_bytes() == _checksum(path, path.name).encode()
    return "" if is_sound else "sha256 differs"


def _warn(damaged: list[str], remedy: str) -> None:
    """Warn of each damaged checkpoint, and say what is done instead."""
    for each in damaged:
        _log.warning("%s; %s", each, remedy)
