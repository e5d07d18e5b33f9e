"""What each extra of the recipe is worth, in paired trainings: the same seed with it and without.

    python benchmarks/bench_extras.py --data data --out extras.json

A run is kept in the JSON file when it ends, so the same command goes on. One process, one thread.
At this scale (a narrow network, few images, a short schedule) strong regularisation has nothing to
win: it shows that an extra works and what it costs, not what it is worth to the full recipe.
"""

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path

import torch

from seresnet.config import TrainConfig
from seresnet.data import Split, load_labelled
from seresnet.files import write_text
from seresnet.predict import predict
from seresnet.splits import hold_out, stratified_subset
from seresnet.train import TrainState, train

BASE = TrainConfig(
    epochs=12, warmup_epochs=3, channels=(8, 16, 32, 64), mixup_alpha=0.2, dropout=0.0,
    label_smoothing=0.02, ema_decay=0.98,
)  # fmt: skip
EXTRAS: dict[str, dict[str, object]] = {
    "baseline": {},
    "nesterov: true": {"nesterov": True},
    "decay_norms: false": {"decay_norms": False},
    "alternating_flip: true": {"alternating_flip": True},
    "cutmix_probability: 0.5": {"cutmix_probability": 0.5},
    "trivial_augment: true": {"trivial_augment": True},
    "epochs: 24": {"epochs": 24},
}


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=Path("data"), help="CIFAR-10's folder")
    parser.add_argument("--out", type=Path, default=Path("extras.json"), help="runs that ended")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train_data, val_data = hold_out(load_labelled(arguments.data), num_val=3000, seed=0)
    train_data = stratified_subset(train_data, num=10_000, seed=0)
    done = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for seed in arguments.seeds:
        for name, changes in EXTRAS.items():
            if f"{name}/{seed}" not in done:
                config = replace(BASE, seed=seed, **changes)
                done[f"{name}/{seed}"] = run(config, train_data, val_data)
                write_text(arguments.out, json.dumps(done, indent=1, allow_nan=False) + "\n")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(table(done, arguments.seeds))


def run(config: TrainConfig, train_data: Split, val_data: Split) -> dict[str, float]:
    """Train once; return accuracies on the validation images, and what it took."""
    started = time.monotonic()
    state = TrainState.create(config, torch.device("cpu"))
    *_, last = train(state, train_data, val_data)
    images, labels = val_data.images, val_data.labels
    logits = predict(state.average, images, config=config, dtype=state.dtype, mirror=True)
    assert last.val_accuracy is not None
    assert last.val_accuracy_raw is not None
    return {
        "val_accuracy": last.val_accuracy,
        "raw": last.val_accuracy_raw,
        "mirrored": float((logits.argmax(1) == labels).double().mean()),
        "seconds": time.monotonic() - started,
    }


def table(done: dict[str, dict[str, float]], seeds: list[int]) -> str:
    """Return accuracies in percent by seed, and the mean gain over the baseline in points."""
    lines = ["extra                    seed: accuracy (mirrored)          mean gain, points"]
    for name in EXTRAS:
        runs = [(seed, done[f"{name}/{seed}"]) for seed in seeds]
        gains = [r["val_accuracy"] - done[f"baseline/{s}"]["val_accuracy"] for s, r in runs]
        cells = [f"{s}: {r['val_accuracy']:.1%} ({r['mirrored']:.1%})" for s, r in runs]
        lines.append(f"{name:24} {'  '.join(cells):34} {100 * sum(gains) / len(gains):+.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
