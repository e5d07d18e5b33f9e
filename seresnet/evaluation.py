"""What a finished model does on CIFAR-10's test set; every look at it is kept, with its date."""

import json
import logging
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from seresnet.data import Split
from seresnet.device import place, resolve_precision
from seresnet.errors import DataError
from seresnet.files import sha256_of, write_text
from seresnet.model_file import load_model
from seresnet.predict import predict
from seresnet.splits import content_hash

_log = logging.getLogger(__name__)
LAST = "last.pt"
"""Name of the model of the last epoch's raw weights, beside that of the averaged ones."""
_FILE = "evaluation.json"


def evaluate_model(model: Path, test: Split, *, device: torch.device) -> dict[str, Any]:
    """Evaluate a model, and the last weights beside it; add that to `evaluation.json` there.

    A test set measures what was chosen without it. Each further look invites a choice by it, so
    there is a warning.

    Args:
        model: `model.pt` of a run; `last.pt` beside it is evaluated too.
        test: labelled images that no choice was made by.
        device: to compute on.

    Returns:
        What was added: `at`, hashes, and under `weights` for each of the two the accuracies as
        they are and with mirror averaging, each with its standard error.

    Raises:
        CheckpointError: a model cannot be loaded.
        DataError: `evaluation.json` is damaged.
    """
    path = model.with_name(_FILE)
    earlier = read_evaluations(model.parent)
    looks = [e["at"][:10] for e in earlier if e["model_sha256"] == sha256_of(model)]
    if _was_tested(model.parent):
        looks = ["at the end of its training", *looks]
    if looks:
        again = "the test set was looked at before (%s): choose nothing by what it says"
        _log.warning(f"%s: {again}", model, ", ".join(looks))
    files = {"averaged": model, "last": model.with_name(LAST)}
    if model.name == LAST:
        del files["averaged"]
    weights = {k: _measure(file, test, device) for k, file in files.items() if file.is_file()}
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model.name,
        "model_sha256": sha256_of(model),
        "num_images": len(test),
        "test_sha256": content_hash(test),
        "weights": weights,
        "device": str(device),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }
    text = json.dumps({"evaluations": [*earlier, found]}, indent=2, allow_nan=False)
    write_text(path, text + "\n")
    return found


def _was_tested(folder: Path) -> bool:
    """Return whether the run evaluated its model on the test set when it ended."""
    try:
        return "test_accuracy" in json.loads((folder / "metrics.json").read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def read_evaluations(folder: Path) -> list[dict[str, Any]]:
    """Return what `evaluate_model` has written beside a model, oldest first.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / _FILE
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_bytes())["evaluations"]
        for each in found:
            _ = each["at"][:10], each["model_sha256"]
            _ = [float(measured["accuracy"]) for measured in each["weights"].values()]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: is damaged: {str(error).partition(chr(10))[0]}", "move it away"
        ) from error
    return list(found)


def _measure(model: Path, test: Split, device: torch.device) -> dict[str, float]:
    """Return a model's accuracies, as it is and with mirror averaging, with standard errors."""
    network, config = load_model(model)
    network, dtype = place(network, device), resolve_precision(config.precision, device)
    found: dict[str, float] = {}
    for suffix, mirror in (("", False), ("_mirrored", True)):
        logits = predict(network, test.images, config=config, dtype=dtype, mirror=mirror)
        is_right = logits.argmax(dim=1).cpu() == test.labels
        accuracy = float(is_right.double().mean())
        found[f"accuracy{suffix}"] = accuracy
        found[f"standard_error{suffix}"] = (accuracy * (1 - accuracy) / len(test)) ** 0.5
    return found
