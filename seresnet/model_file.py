"""A finished model on disk: its settings and its weights, loadable without running code."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seresnet.config import TrainConfig
from seresnet.errors import CheckpointError
from seresnet.files import write_atomically
from seresnet.model import SEResNet


def save_model(model: nn.Module, config: TrainConfig, path: Path) -> None:
    """Write `{"config": ..., "state_dict": ...}`: tensors and plain values only."""
    content = {"config": dataclasses.asdict(config), "state_dict": model.state_dict()}
    write_atomically(path, lambda file: torch.save(content, file))


def load_model(path: Path) -> tuple[SEResNet, TrainConfig]:
    """Return the network in evaluation mode, on the CPU, and the settings that made it.

    Raises:
        CheckpointError: the file is missing, damaged, or holds another architecture.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content["config"].items()
        }
        config = TrainConfig(**settings)
        model = SEResNet(channels=config.channels)
        model.load_state_dict(content["state_dict"])
    except Exception as error:
        # torch names a damaged file in many ways: OSError, RuntimeError, UnpicklingError, KeyError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: cannot load this model: {reason}", "train it again, or name another file"
        ) from error
    return model.eval(), config
