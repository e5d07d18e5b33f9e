"""One training in a folder of its own: resumed where it was, ended with a model and its metrics."""

import csv
import dataclasses
import hashlib
import json
import logging
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from seresnet import checkpoint
from seresnet.card import write_card
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.epoch import EpochResult
from seresnet.errors import CheckpointError, DamagedError
from seresnet.evaluation import LAST
from seresnet.failpoints import reach
from seresnet.fence import Fence
from seresnet.files import sha256_of, write_csv, write_text
from seresnet.model import num_parameters
from seresnet.model_file import save_model
from seresnet.splits import content_hash
from seresnet.train import TrainState, evaluate, train

_log = logging.getLogger(__name__)
_OWNER_FILE, _METRICS, _MODEL, _EPOCHS = "run.sha256", "metrics.json", "model.pt", "epochs.csv"
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    and last `model.pt` (the averaged weights), `last.pt` (the last step's, where those differ),
    `model_card.md` and `metrics.json`, whose presence says that the run is complete. Of a complete
    run the stored results are checked and yielded.

    Args:
        config: a folder that holds a run with other settings, or on other images, is refused.
        train_data: trained on.
        val_data: evaluated after each epoch, if any.
        folder: belongs to this run.
        device: to train on.
        provenance: goes into `metrics.json`; plain JSON values.
        test_data: evaluated once, when all is done, and never to choose anything by.

    Raises:
        CheckpointError: the folder belongs to another run; a `DamagedError` where it holds this
            run, complete, and a file of it is damaged.
        DivergedError: within 50 steps of the first loss that is not finite.
        StaleAttemptError: another process has taken the folder up since.
    """
    owner = identity(config, train_data, val_data)
    checkpoints = folder / "checkpoints"
    checkpoint.refuse_link(checkpoints)
    claim(folder, owner)
    fence = Fence.take(folder)
    with fence.held():
        checkpoint.clear_leftovers(folder)
    if is_finished(folder, owner):
        results = read_results(folder)
        with fence.held():
            shutil.rmtree(checkpoints, ignore_errors=True)
        yield from results
        return
    with fence.held():
        _forget_end(folder)
    state = checkpoint.load(checkpoints, config=config, device=device)
    if state is None:
        state = TrainState.create(config, device)
    yield from state.history
    for result in train(state, train_data, val_data):
        checkpoint.save(state, checkpoints, fence=fence)
        with fence.held():
            _write_epochs(state, folder)
        yield result
    facts = {"num_train_images": len(train_data), "train_sha256": content_hash(train_data)}
    report = {**_test(state, test_data), **facts, **provenance}
    with fence.held():
        _write_epochs(state, folder)
        _finish(state, folder, report)
        shutil.rmtree(checkpoints, ignore_errors=True)


def identity(config: TrainConfig, train_data: Split, val_data: Split | None) -> str:
    """Return a SHA-256 that two runs share if their settings and images are equal."""
    images = [content_hash(part) for part in (train_data, val_data) if part is not None]
    return identity_of(config, images)


def identity_of(config: TrainConfig, images: Sequence[str]) -> str:
    """Return `identity` from the hashes of the images to train on and, if any, to judge by."""
    return hashlib.sha256("/".join([config.fingerprint(), *images]).encode()).hexdigest()


def claim(folder: Path, owner: str) -> None:
    """Mark a folder as a run's own.

    Raises:
        CheckpointError: it belongs to another run, or nobody can tell whose it is.
    """
    held_by, hint = holder(folder), "give this run a folder of its own, or delete that one"
    if held_by is None:
        if made := [n for n in ("checkpoints", _MODEL, _METRICS) if (folder / n).exists()]:
            what = f"holds {', '.join(made)}, but no {_OWNER_FILE} that says of which run"
            raise CheckpointError(f"{folder}: {what}", hint)
        write_text(folder / _OWNER_FILE, owner)
    elif not _SHA256.fullmatch(held_by):
        raise CheckpointError(f"{folder}: {_OWNER_FILE} is damaged: it is no SHA-256", hint)
    elif held_by != owner:
        raise CheckpointError(f"{folder}: holds a run with other settings or on other images", hint)


def holder(folder: Path) -> str | None:
    """Return the identity of the run that a folder belongs to; none if it belongs to none.

    Of a damaged file, whatever it says: that is no run's identity.
    """
    path = folder / _OWNER_FILE
    return path.read_bytes()[:200].decode("ascii", "replace") if path.is_file() else None


def is_finished(folder: Path, owner: str) -> bool:
    """Return whether the folder holds exactly this run, complete."""
    made = all((folder / name).is_file() for name in (_METRICS, _MODEL))
    return made and holder(folder) == owner


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return `metrics.json` of a complete run, after a check of all that the run left behind.

    Raises:
        DamagedError: a file is missing, or is not what the run wrote.
    """
    try:
        metrics: dict[str, Any] = dict(json.loads((folder / _METRICS).read_bytes()))
        if metrics.pop("metrics_sha256") != _hash(metrics):
            raise ValueError("its own SHA-256 differs")
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged(folder / _METRICS, str(error).partition("\n")[0]) from error
    for name, key in ((_MODEL, "model_sha256"), (_EPOCHS, "epochs_sha256")):
        path = folder / name
        if not path.is_file() or sha256_of(path) != metrics.get(key):
            raise _damaged(path, f"{key} in {_METRICS} differs")
    last = folder / LAST  # nobody needs it to go on, so it may be deleted
    if last.is_file() and sha256_of(last) != metrics.get("last_sha256"):
        raise _damaged(last, f"last_sha256 in {_METRICS} differs")
    return metrics


def read_results(folder: Path) -> list[EpochResult]:
    """Return every epoch's result of a complete run.

    Raises:
        DamagedError: a file of the run is missing, or is not what the run wrote.
    """
    read_metrics(folder)
    with (folder / _EPOCHS).open(newline="") as file:
        return [EpochResult.of_row(row) for row in csv.DictReader(file)]


def _damaged(path: Path, reason: str) -> DamagedError:
    return DamagedError(
        f"{path}: is damaged: {reason}",
        f"delete {path.parent} and run the same command again: it trains anew",
    )


def _hash(metrics: Mapping[str, object]) -> str:
    """Return the SHA-256 of metrics as they come back from their file."""
    plain = json.loads(json.dumps(metrics, allow_nan=False))
    return hashlib.sha256(json.dumps(plain, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _forget_end(folder: Path) -> None:
    """Delete the metrics of a model that is gone: they would be taken for those of the next one."""
    path = folder / _METRICS
    if path.exists():
        _log.warning("%s: %s is missing, so it is trained again", folder, _MODEL)
        path.unlink()


def _write_epochs(state: TrainState, folder: Path) -> None:
    rows = [dataclasses.asdict(each) for each in state.history]
    write_csv(folder / _EPOCHS, list(rows[0]), rows)


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
    model_path = folder / _MODEL
    reach("before-model", folder.name)
    save_model(state.average, state.config, model_path)
    if state.config.ema_decay:
        save_model(state.model, state.config, folder / LAST)
    reach("after-model", folder.name)
    metrics = {
        **dataclasses.asdict(state.history[-1]),
        "total_seconds": sum(result.seconds for result in state.history),
        "weights": "averaged" if state.config.ema_decay else "raw",
        "model_sha256": sha256_of(model_path),
        **({"last_sha256": sha256_of(folder / LAST)} if state.config.ema_decay else {}),
        "epochs_sha256": sha256_of(folder / _EPOCHS),
        "num_parameters": num_parameters(state.model),
        "device": str(state.device),
        "dtype": str(state.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "config": dataclasses.asdict(state.config),
        "config_sha256": state.config.fingerprint(),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        **provenance,
    }
    write_card(folder, metrics)
    metrics["metrics_sha256"] = _hash(metrics)
    write_text(folder / _METRICS, json.dumps(metrics, indent=2, allow_nan=False) + "\n")
