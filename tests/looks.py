"""Retrained models that were looked at, as a study leaves them, without training any."""

import json

import torch

from seresnet.evaluation import Look, keep_look
from seresnet.files import sha256_of
from seresnet.mistakes import find_mistakes
from seresnet.synthetic import SHAPE_NAMES, make_synthetic

TEST = make_synthetic(num=30, seed=4)
MEASURED = {"accuracy": 0.8125, "standard_error": 0.0123, "accuracy_mirrored": 0.9}


def leave_model(snapshot, *, seed=0, won="t0001"):
    """Leave a model of a trial that nobody has looked at; return its folder."""
    folder = snapshot.folder.retrain(seed)
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(f"model {seed}".encode())
    text = json.dumps({"study": snapshot.id, "trial": won}, allow_nan=False)
    (folder / "metrics.json").write_text(text)
    return folder


def take_look(folder, *, predicted=None, names=SHAPE_NAMES, is_kept=True):
    """Look at `TEST` with the model in a folder, which predicts these classes, or the labels."""
    about = {
        "at": "2026-11-28T12:00:00+00:00",
        "model_sha256": sha256_of(folder / "model.pt"),
        "test_sha256": "c" * 64,
    }
    classes = TEST.labels if predicted is None else predicted
    logits = 5 * torch.nn.functional.one_hot(classes, 10).float()
    found = find_mistakes(logits, TEST, class_names=names, about=about)
    weights = {"averaged": MEASURED, "last": MEASURED}
    entry = {**about, "num_images": len(TEST), "weights": weights}
    keep_look(Look(entry, found if is_kept else None), folder)
    return folder
