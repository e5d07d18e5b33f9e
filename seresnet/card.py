"""The model card: what a finished model is, for whoever is handed `model.pt` alone with it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seresnet.config import TrainConfig
from seresnet.evaluation import read_evaluations
from seresnet.files import write_text

CARD = "model_card.md"
_SHOWN = (
    "epochs", "batch_size", "lr", "warmup_epochs", "momentum", "weight_decay", "label_smoothing",
    "dropout", "mixup_alpha", "cutout_size", "ema_decay", "seed",
)  # fmt: skip
_LOAD = """\
from pathlib import Path

from seresnet.data import CLASS_NAMES
from seresnet.images import load_images
from seresnet.model_file import load_model
from seresnet.predict import predict

model, config = load_model(Path("model.pt"))
images = load_images(Path("photo.png")).images  # PNG or JPEG, or a folder of them
probabilities = predict(model, images, config=config).softmax(dim=1)
print([CLASS_NAMES[k] for k in probabilities.argmax(dim=1).tolist()])
"""
_LIMITS = """\
- Ten classes and nothing else: an image of anything else gets one of the ten names all the same.
  Probabilities are not calibrated.
- Small photographs of one object, 32x32. Larger pictures are shrunk, and lose what is small.
- Other collections are harder: the seed recipe scored 95.4% on CIFAR-10's test set and 85.6% on
  the competition's images, which come from another collection.
- A validation accuracy by which a setting was chosen among many is too high by luck; only a test
  set that is looked at once is free of that.
"""


def write_card(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write the card of a run's model anew, with every evaluation beside it.

    Args:
        folder: of the run.
        metrics: content of its `metrics.json`.

    Raises:
        DataError: `evaluation.json` is damaged.
    """
    of_this = [e for e in read_evaluations(folder) if e["model_sha256"] == metrics["model_sha256"]]
    lines = _lines(metrics, of_this)
    write_text(folder / CARD, "\n".join(lines) + "\n")


def _lines(metrics: Mapping[str, Any], evaluations: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    is_averaged = metrics["weights"] == "averaged"
    kind = "averaged over the steps (EMA)" if is_averaged else "of the last step"
    yield "# SE-ResNet for CIFAR-10"
    yield ""
    yield f"Classifies 32x32 colour images, ten classes; {metrics['num_parameters']:,} parameters."
    yield f"`model.pt` holds the settings and the weights, {kind}; nothing in it is code."
    yield ""
    yield "## Use"
    yield ""
    yield f"```python\n{_LOAD}```"
    yield ""
    yield "Or `python -m seresnet predict --model model.pt --images photo.png`. Intended for"
    yield "CIFAR-10, for the competition on it and to compare recipes; not for decisions of weight."
    yield ""
    yield from _section("Data", _data(metrics))
    yield from _section("Recipe", _recipe(metrics["config"]))
    yield from _section("Results", _results(metrics, evaluations))
    yield f"## Limits\n\n{_LIMITS}"
    yield from _section("Provenance", _provenance(metrics))


def _section(title: str, rows: Iterator[tuple[str, object]]) -> Iterator[str]:
    """Yield a heading and a table of two columns."""
    yield f"## {title}\n\n| | |\n|---|---|"
    for name, value in rows:
        yield f"| {name} | {value} |"
    yield ""


def _data(metrics: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    data = metrics.get("data")
    report: Mapping[str, Any] = data if isinstance(data, Mapping) else {"source": data or "unknown"}
    yield "source", report["source"]
    yield "images trained on", f"{metrics['num_train_images']:,}"
    files = report.get("files")
    if files:
        known = sum(bool(each["published"]) for each in files.values())
        yield "files", f"{known} of {len(files)} are the published ones, byte for byte"
    yield "SHA-256 of images and labels", f"`{metrics['train_sha256']}`"


def _recipe(config: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the main settings, and every other one that is not the seed recipe's."""
    defaults = dataclasses.asdict(TrainConfig())
    for name, value in config.items():
        is_default = value == defaults.get(name) or _tuple(value) == defaults.get(name)
        if name in _SHOWN or not is_default:
            yield f"`{name}`", f"{value}" if is_default else f"**{value}**"
    yield "in bold", "differs from the seed recipe (ZBW-P/Deep-learning-resnet)"


def _tuple(value: object) -> object:
    """Return a list as the tuple it was before it went through JSON; else the value."""
    return tuple(value) if isinstance(value, list) else value


def _results(
    metrics: Mapping[str, Any], evaluations: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, object]]:
    named = {
        "val_accuracy": "validation accuracy of this run",
        "val_accuracy_in_search": "validation accuracy in the search, by which it was chosen",
        "baseline_val_accuracy": "validation accuracy of the search's baseline",
        "test_accuracy": "test accuracy",
        "test_accuracy_raw": "test accuracy of the last weights",
    }
    yield "training loss of the last epoch", f"{metrics['train_loss']:.4f}"
    for key, name in named.items():
        if isinstance(metrics.get(key), float):
            yield name, f"{metrics[key]:.2%}"
    for each in evaluations:
        for weights, found in each["weights"].items():
            for suffix, mirror in (("", ""), ("_mirrored", ", mirror averaging")):
                accuracy, error = found[f"accuracy{suffix}"], found[f"standard_error{suffix}"]
                name = f"test set of {each['num_images']:,}, {each['at'][:10]}, {weights} weights"
                yield f"{name}{mirror}", f"{accuracy:.2%} (standard error {error:.2%})"
    if not evaluations and "test_accuracy" not in metrics:
        yield "test set", "not looked at"


def _provenance(metrics: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    yield "`model.pt`", f"SHA-256 `{metrics['model_sha256']}`"
    yield "settings", f"fingerprint `{metrics['config_sha256']}`"
    if metrics.get("commit"):
        dirty = " with changes" if metrics.get("dirty") else ""
        yield "code", f"commit `{metrics['commit']}`{dirty}"
    if "study" in metrics:
        part = f"trial {metrics['trial']}" if "trial" in metrics else metrics.get("purpose", "")
        yield "search", f"study `{metrics['study']}`, {part}"
    yield "trained", f"on {metrics['device']}, {metrics['dtype']}, {metrics['total_seconds']:.0f} s"
    versions = metrics["versions"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "all settings and numbers", "`metrics.json`, `epochs.csv`"
