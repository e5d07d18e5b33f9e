"""One training in a folder of its own: resumed where it was, ended with a model and its metrics."""

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from seresnet import checkpoint
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.epoch import EpochResult
from seresnet.files import sha256_of, write_csv, write_text
from seresnet.model import num_parameters
from seresnet.model_file import save_model
from seresnet.train import TrainState, train


def run(
    config: TrainConfig,
    train_data: Split,
    val_data: Split | None,
    *,
    folder: Path,
    device: torch.device,
    provenance: Mapping[str, object],
) -> Iterator[EpochResult]:
    """Train to completion, yielding every epoch's result, those of an earlier start included.

    Writes `checkpoints/` while it runs (two, deleted at the end), `epochs.csv` after each epoch,
    and last `model.pt` (the averaged weights) and `metrics.json`: the latter's presence says that
    the run is complete.

    Args:
        config: a folder that holds a run with other settings is refused.
        train_data: trained on.
        val_data: evaluated after each epoch, if any.
        folder: belongs to this run.
        device: to train on.
        provenance: goes into `metrics.json`; plain JSON values.

    Raises:
        CheckpointError: the folder belongs to a run with other settings.
        Diverged: at the first loss that is not finite.
    """
    checkpoints = folder / "checkpoints"
    state = checkpoint.load(checkpoints, config=config, device=device)
    if state is None:
        state = TrainState.create(config, device)
    yield from state.history
    for result in train(state, train_data, val_data):
        checkpoint.save(state, checkpoints)
        rows = [dataclasses.asdict(each) for each in state.history]
        write_csv(folder / "epochs.csv", list(rows[0]), rows)
        yield result
    _finish(state, folder, provenance)
    shutil.rmtree(checkpoints, ignore_errors=True)


def is_finished(folder: Path, config: TrainConfig) -> bool:
    """Return whether the folder holds a complete run with exactly these settings."""
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
        return bool(metrics["config_sha256"] == config.fingerprint())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _finish(state: TrainState, folder: Path, provenance: Mapping[str, object]) -> None:
    model_path = folder / "model.pt"
    save_model(state.average, state.config, model_path)
    metrics = {
        **dataclasses.asdict(state.history[-1]),
        "total_seconds": sum(result.seconds for result in state.history),
        "weights": "averaged" if state.config.ema_decay else "raw",
        "model_sha256": sha256_of(model_path),
        "num_parameters": num_parameters(state.model),
        "device": str(state.device),
        "dtype": str(state.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "config": dataclasses.asdict(state.config),
        "config_sha256": state.config.fingerprint(),
        **provenance,
    }
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
