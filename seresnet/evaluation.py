"""What a finished model does on a test set; every look at it is kept, with its date."""

import json
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seresnet.data import CLASS_NAMES, Split
from seresnet.device import place, resolve_precision
from seresnet.errors import DataError
from seresnet.files import sha256_of, write_text
from seresnet.mistakes import Mistakes, find_mistakes, write_mistakes
from seresnet.model_file import load_model
from seresnet.predict import predict
from seresnet.splits import content_hash

_log = logging.getLogger(__name__)
LAST = "last.pt"
"""Name of the model of the last epoch's raw weights, beside that of the averaged ones."""
_FILE = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the test set showed: plain values, which travel between processes."""

    entry: dict[str, Any]
    """Its part of `evaluation.json`."""
    mistakes: Mistakes | None
    """Of `model.pt`; None where the last weights alone were looked at."""


def evaluate_model(
    model: Path, test: Split, *, device: torch.device, class_names: Sequence[str] = CLASS_NAMES
) -> dict[str, Any]:
    """Evaluate a model, and the last weights beside it; add that to `evaluation.json` there.

    A test set measures what was chosen without it. Each further look invites a choice by it, so
    there is a warning.

    Args:
        model: `model.pt` of a run; `last.pt` beside it is evaluated too.
        test: labelled images that no choice was made by.
        device: to compute on.
        class_names: of their labels.

    Returns:
        What was added: `at`, hashes, and under `weights` for each of the two the accuracies as
        they are and with mirror averaging, each with its standard error.

    Raises:
        CheckpointError: a model cannot be loaded.
        DataError: `evaluation.json` is damaged.
    """
    if looks := earlier_looks(model):
        again = "the test set was looked at before (%s): choose nothing by what it says"
        _log.warning(f"%s: {again}", model, ", ".join(looks))
    look = take_look(model, test, device=device, class_names=class_names)
    keep_look(look, model.parent)
    return look.entry


def earlier_looks(model: Path) -> list[str]:
    """Return when the test set was looked at with a model: dates, oldest first.

    Raises:
        DataError: `evaluation.json` is damaged.
    """
    earlier = read_evaluations(model.parent)
    looks = [e["at"][:10] for e in earlier if e["model_sha256"] == sha256_of(model)]
    return ["at the end of its training", *looks] if _was_tested(model.parent) else looks


def take_look(
    model: Path, test: Split, *, device: torch.device, class_names: Sequence[str]
) -> Look:
    """Return what `evaluate_model` finds; nothing is written."""
    files = {"averaged": model, "last": model.with_name(LAST)}
    if model.name == LAST:
        del files["averaged"]
    present = {name: file for name, file in files.items() if file.is_file()}
    logits = {name: _answers(file, test, device) for name, file in present.items()}
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model_sha256": sha256_of(model),
        "test_sha256": content_hash(test),
    }
    entry = {
        **about,
        "model": model.name,
        "num_images": len(test),
        "weights": {name: _measure(each, test) for name, each in logits.items()},
        "device": str(device),
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }
    mistakes = None
    if "averaged" in logits:
        plain = logits["averaged"][""]
        mistakes = find_mistakes(plain, test, class_names=class_names, about=about)
    return Look(entry, mistakes)


def keep_look(look: Look, folder: Path) -> None:
    """Write what a look showed beside the model; `evaluation.json` last: it says that it was.

    Raises:
        DataError: `evaluation.json` is damaged.
    """
    evaluations = [*read_evaluations(folder), look.entry]
    if look.mistakes is not None:
        write_mistakes(look.mistakes, folder)
    text = json.dumps({"evaluations": evaluations}, indent=2, allow_nan=False)
    write_text(folder / _FILE, text + "\n")


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


def _answers(model: Path, test: Split, device: torch.device) -> dict[str, Tensor]:
    """Return a model's logits, as it is and with mirror averaging, by the suffix of their keys."""
    network, config = load_model(model)
    network, dtype = place(network, device), resolve_precision(config.precision, device)
    return {
        suffix: predict(network, test.images, config=config, dtype=dtype, mirror=mirror).cpu()
        for suffix, mirror in (("", False), ("_mirrored", True))
    }


def _measure(logits: Mapping[str, Tensor], test: Split) -> dict[str, float]:
    """Return the accuracies of a model's answers, with standard errors."""
    found: dict[str, float] = {}
    for suffix, each in logits.items():
        accuracy = float((each.argmax(dim=1) == test.labels).double().mean())
        found[f"accuracy{suffix}"] = accuracy
        found[f"standard_error{suffix}"] = (accuracy * (1 - accuracy) / len(test)) ** 0.5
    return found
