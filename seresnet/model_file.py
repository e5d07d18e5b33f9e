"""A finished model on disk: its settings and its weights, loadable without running code."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seresnet.config import TrainConfig
from seresnet.errors import CheckpointError, DamagedError
from seresnet.files import sha256_of, write_atomically
from seresnet.model import SEResNet


def save_model(model: nn.Module, config: TrainConfig, path: Path) -> None:
    """Write `{"config": ..., "state_dict": ..., "sha256": ...}`: tensors and plain values only.

    The hash is that of settings and weights: a bit that flips inside a tensor loads without an
    error (299 of 300 random flips in 2 MB), and a model outlives the files beside it.
    """
    settings, weights = dataclasses.asdict(config), model.state_dict()
    content = {"config": settings, "state_dict": weights, "sha256": _digest(settings, weights)}
    write_atomically(path, lambda file: torch.save(content, file))


def load_model(path: Path, *, sha256: str | None = None) -> tuple[SEResNet, TrainConfig]:
    """Return the network in evaluation mode, on the CPU, and the settings that made it.

    Args:
        path: written by `save_model`.
        sha256: of the whole file, in hex, where the caller knows it.

    Raises:
        DamagedError: the file is missing, or not what `save_model` wrote.
        CheckpointError: the file is sound, but holds another architecture or weights that are not
            finite.
    """
    try:
        if sha256 is not None and sha256_of(path) != sha256:
            raise ValueError("it is damaged (SHA-256 differs)")
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings, weights = content["config"], content["state_dict"]
        if content["sha256"] != _digest(settings, weights):
            raise ValueError("it is damaged (SHA-256 of its weights differs)")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in settings.items()
        }
        config = TrainConfig(**values)
        model = SEResNet(channels=config.channels)
    except Exception as error:
        # torch names a damaged file in many ways: OSError, RuntimeError, UnpicklingError, KeyError
        raise DamagedError(
            f"{path}: cannot load this model: {first_line(error)}",
            "train it again, or name another file",
        ) from error
    load_weights(model, weights, f"{path}: cannot load this model: it")
    return model.eval(), config


def load_weights(module: nn.Module, weights: object, where: str) -> None:
    """Give a module its weights, all of them finite.

    Args:
        module: is left as it was where the weights are refused.
        weights: a state dict.
        where: begins a complaint, such as `model.pt`.

    Raises:
        CheckpointError: they belong to another architecture, or are not all finite.
    """
    ours = module.state_dict()
    theirs: Mapping[str, Any] = weights if isinstance(weights, dict) else {}
    missing, unexpected = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
    differing = [
        name
        for name in ours.keys() & theirs.keys()
        if not isinstance(theirs[name], Tensor)
        or (theirs[name].shape, theirs[name].dtype) != (ours[name].shape, ours[name].dtype)
    ]
    if missing or unexpected or differing:
        parts = [f"{len(missing)} missing", f"{len(unexpected)} unexpected keys"]
        if len(unexpected) == 1:
            parts[1] = "1 unexpected key"
        parts += [f"{len(differing)} of another shape or type"] if differing else []
        raise CheckpointError(
            f"{where} is for another architecture: {', '.join(parts)}",
            "use the version of this program that wrote it, or train again",
        )
    if bad := num_not_finite(theirs.values()):
        raise CheckpointError(
            f"{where} holds values that are not finite in {bad} of {len(theirs)} tensors",
            "train again with a lower lr",
        )
    # Not `load_state_dict`, which believes the version that a file claims for a module.
    with torch.no_grad():
        for name, tensor in ours.items():
            tensor.copy_(theirs[name])


def num_not_finite(values: Any) -> int:
    """Return how many of the tensors among some values hold an infinity or not-a-number."""
    return sum(not bool(torch.isfinite(v).all()) for v in values if isinstance(v, Tensor))


def first_line(error: Exception) -> str:
    """Return an error as one line; some come without any text."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _digest(settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of settings and weights, whatever file or device they lie on."""
    text = json.dumps(settings, sort_keys=True, allow_nan=False)
    digest = hashlib.sha256(text.encode())
    for name, tensor in weights.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
