"""Where a model errs on labelled images, kept for people to look at: `mistakes.json`."""

import base64
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from seresnet.data import Split
from seresnet.errors import DataError
from seresnet.files import write_text

FILE = "mistakes.json"
"""Its name, beside the model."""
MOST_SHOWN = 24
"""Mistakes that are kept as images: the file stays near 100 KB."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """An image that was given another label than its own."""

    index: int
    """Of the image among those that were labelled; >= 0."""
    label: int
    """Its own class."""
    predicted: int
    """The class that the model gives it."""
    probability: float
    """What the model gives that class, without mirror averaging; [0, 1]."""
    png: str
    """The image as a PNG, in base64."""

    def __post_init__(self) -> None:
        sound = self.index >= 0 and self.label != self.predicted and 0 <= self.probability <= 1
        if not sound or not base64.b64decode(self.png, validate=True).startswith(_PNG):
            raise ValueError(f"mistake {self.index}: is none, or has no image")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistakes:
    """What a model answered to labelled images, once."""

    at: str
    """When; UTC, ISO 8601."""
    model_sha256: str
    """Of the model's file: if that is another one today, this is stale."""
    test_sha256: str
    """Of images and labels."""
    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Images by their own class (row) and the class they were given (column)."""
    most_confident: tuple[Mistake, ...]
    """The mistakes with the highest probabilities, the highest first."""

    def __post_init__(self) -> None:
        num = len(self.class_names)
        if num == 0 or [len(row) for row in self.confusion] != [num] * num:
            raise ValueError("confusion: must have a row and a column a class")
        if min(min(row) for row in self.confusion) < 0 or self.num_images < 1:
            raise ValueError("confusion: must count images")
        classes = {each.label for each in self.most_confident}
        classes |= {each.predicted for each in self.most_confident}
        if not classes <= set(range(num)):
            raise ValueError("most_confident: must name classes that there are")

    @property
    def num_images(self) -> int:
        """Images that were labelled."""
        return sum(map(sum, self.confusion))

    @property
    def num_wrong(self) -> int:
        """Images that were given another label than their own."""
        return self.num_images - sum(row[k] for k, row in enumerate(self.confusion))

    @property
    def accuracy_by_class(self) -> tuple[float | None, ...]:
        """The share of each class that was recognised; None of a class without images."""
        rows = enumerate(self.confusion)
        return tuple(row[k] / sum(row) if sum(row) else None for k, row in rows)


def find_mistakes(
    logits: Tensor, test: Split, *, class_names: Sequence[str], about: Mapping[str, str]
) -> Mistakes:
    """Compare a model's answers with the labels.

    Args:
        logits: (n, k) for the n images, one a class.
        test: the images and their labels.
        class_names: k of them.
        about: `at`, `model_sha256` and `test_sha256`.
    """
    probabilities, predicted = logits.double().cpu().softmax(dim=1).max(dim=1)
    num = len(class_names)
    confusion = torch.bincount(test.labels * num + predicted, minlength=num * num).view(num, num)
    wrong = (predicted != test.labels).nonzero().flatten()
    surest = probabilities[wrong].sort(descending=True, stable=True).indices[:MOST_SHOWN]
    return Mistakes(
        **about,
        class_names=tuple(class_names),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        most_confident=tuple(
            Mistake(
                index=index,
                label=int(test.labels[index]),
                predicted=int(predicted[index]),
                probability=round(float(probabilities[index]), 6),
                png=_as_png(test.images[index]),
            )
            for index in wrong[surest].tolist()
        ),
    )


def _as_png(image: Tensor) -> str:
    """Return an image (3, height, width), uint8, as a PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def write_mistakes(found: Mistakes, folder: Path) -> None:
    """Write `mistakes.json`, with the accuracy of each class for other programs to read."""
    content = {**dataclasses.asdict(found), "accuracy_by_class": found.accuracy_by_class}
    write_text(folder / FILE, json.dumps(content, allow_nan=False) + "\n")


def read_mistakes(folder: Path) -> Mistakes | None:
    """Return what lies beside a model; nothing where there is no such file.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / FILE
    try:
        return _parse(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{path}: is damaged: {str(error).partition(chr(10))[0]}", "move it away"
        ) from error


def _parse(content: Mapping[str, Any]) -> Mistakes:
    """Return the file's content, each value of the type that it must be."""
    texts = {name: str(content[name]) for name in ("at", "model_sha256", "test_sha256")}
    return Mistakes(
        **texts,
        class_names=tuple(str(name) for name in content["class_names"]),
        confusion=tuple(tuple(int(cell) for cell in row) for row in content["confusion"]),
        most_confident=tuple(_parse_mistake(each) for each in content["most_confident"]),
    )


def _parse_mistake(content: Mapping[str, Any]) -> Mistake:
    """Return one mistake of the file."""
    numbers = {name: int(content[name]) for name in ("index", "label", "predicted")}
    return Mistake(**numbers, probability=float(content["probability"]), png=str(content["png"]))
