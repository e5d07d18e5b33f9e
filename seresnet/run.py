"""One training in a folder of its own: resumed where it was, ended with a model and its metrics."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from seresnet import checkpoint
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.epoch import EpochResult
from seresnet.errors import CheckpointError
from seresnet.fence import Fence
from seresnet.files import sha256_of, write_csv, write_text
from seresnet.model import num_parameters
from seresnet.model_file import save_model
from seresnet.splits import content_hash
from seresnet.train import TrainState, evaluate, train

_OWNER_FILE = "run.sha256"


def run(
    config: TrainConfig,
    train_data: Split,
    val_data: Split | None,
    *,
    folder: Path,
    device: torch.device,
    provenance: Mapping[str, object],
    test_data: Split | None = None,
) -> Iterator[EpochResult]:
    """Train to completion, yielding every epoch's result, those of an earlier start included.

    Writes `checkpoints/` while it runs (two, deleted at the end), `epochs.csv` after each epoch,
    and last `model.pt` (the averaged weights) and `metrics.json`: the latter's presence says that
    the run is complete.

    Args:
        config: a folder that holds a run with other settings, or on other images, is refused.
        train_data: trained on.
        val_data: evaluated after each epoch, if any.
        folder: belongs to this run.
        device: to train on.
        provenance: goes into `metrics.json`; plain JSON values.
        test_data: evaluated once, when all is done, and never to choose anything by.

    Raises:
        CheckpointError: the folder belongs to another run.
        DivergedError: within 50 steps of the first loss that is not finite.
        StaleAttemptError: another process has taken the folder up since.
    """
    claim(folder, identity(config, train_data, val_data))
    fence = Fence.take(folder)
    checkpoints = folder / "checkpoints"
    state = checkpoint.load(checkpoints, config=config, device=device)
    if state is None:
        state = TrainState.create(config, device)
    yield from state.history
    for result in train(state, train_data, val_data):
        checkpoint.save(state, checkpoints, fence=fence)
        with fence.held():
            _write_epochs(state, folder)
        yield result
    report = {**_test(state, test_data), **provenance}
    with fence.held():
        _write_epochs(state, folder)
        _finish(state, folder, report)
        shutil.rmtree(checkpoints, ignore_errors=True)


def identity(config: TrainConfig, train_data: Split, val_data: Split | None) -> str:
    """Return a SHA-256 that two runs share if their settings and images are equal."""
    parts = [config.fingerprint(), content_hash(train_data)]
    parts += [] if val_data is None else [content_hash(val_data)]
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def claim(folder: Path, owner: str) -> None:
    """Mark a folder as a run's own.

    Raises:
        CheckpointError: it belongs to another run.
    """
    if holder(folder) not in (None, owner):
        raise CheckpointError(
            f"{folder}: holds a run with other settings or on other images",
            "give this run a folder of its own, or delete that one",
        )
    write_text(folder / _OWNER_FILE, owner)


def holder(folder: Path) -> str | None:
    """Return the identity of the run that a folder belongs to; none if it belongs to none."""
    path = folder / _OWNER_FILE
    return path.read_text() if path.is_file() else None


def is_finished(folder: Path, owner: str) -> bool:
    """Return whether the folder holds exactly this run, complete."""
    made = all((folder / name).is_file() for name in ("metrics.json", "model.pt"))
    return made and holder(folder) == owner


def _write_epochs(state: TrainState, folder: Path) -> None:
    rows = [dataclasses.asdict(each) for each in state.history]
    write_csv(folder / "epochs.csv", list(rows[0]), rows)


def _test(state: TrainState, test_data: Split | None) -> dict[str, object]:
    if test_data is None:
        return {}
    test_loss, test_accuracy = evaluate(state.average, test_data, state)
    _, test_accuracy_raw = evaluate(state.model, test_data, state)
    return {
        "test_loss": test_loss,
        "test_accuracy": test_accuracy,
        "test_accuracy_raw": test_accuracy_raw,
    }


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
