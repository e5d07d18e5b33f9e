"""CIFAR-10's files, and the competition's, as tensors of bytes."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seresnet.errors import DataError
from seresnet.pickles import load_pickle

_log = logging.getLogger(__name__)

CLASS_NAMES: tuple[str, ...] = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

# md5 of the published files, as torchvision 0.28 checks them (torchvision/datasets/cifar.py).
_PUBLISHED_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
_TRAIN_FILES = tuple(name for name in _PUBLISHED_MD5 if name.startswith("data_batch_"))
BATCHES_FOLDER = "cifar-10-batches-py"
_ARCHIVE_FOLDER = "cifar-10-python"
_COMPETITION_FOLDER = "deep-learning-spring-2025-project-1"
# 2025's name, then 2024's.
_UNLABELLED_NAMES = ("cifar_test_nolabel.pkl", "cifar_test_nolabels.pkl")

_Array = npt.NDArray[np.generic]
_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Labelled images.

    Args:
        images: (n, 3, 32, 32), uint8, RGB.
        labels: (n,), int64, classes 0 to 9 in the order of `CLASS_NAMES`.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Unlabelled:
    """Images to be labelled.

    Args:
        images: (n, 3, 32, 32), uint8, RGB.
        ids: (n,), int64, unique: what the submission calls each image.
    """

    images: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.ids)


def load_labelled(root: Path) -> Split:
    """Return the training images, the five batches one after the other.

    Args:
        root: the folder that holds `cifar-10-batches-py`, or the pickles' own folder.

    Raises:
        DataError: if batches are missing, damaged, or hold anything but 32x32 RGB images and
            labels 0 to 9.
    """
    folder = _batches_folder(root)
    missing = [name for name in _TRAIN_FILES if folder is None or not (folder / name).is_file()]
    if folder is None:
        raise DataError(
            f"{root}: must hold CIFAR-10's {BATCHES_FOLDER}, got none of its files",
            hint="let --download fetch CIFAR-10 into this folder, or name another with --data",
        )
    if missing:
        raise DataError(
            f"{folder}: all five batches are needed, missing {', '.join(missing)}",
            hint="unpack cifar-10-python.tar.gz again, or let --download complete the folder",
        )
    parts = [read_batch(folder / name) for name in _TRAIN_FILES]
    return Split(
        images=torch.from_numpy(np.concatenate([images for images, _ in parts])),
        labels=torch.from_numpy(np.concatenate([labels for _, labels in parts])),
    )


def load_test(root: Path) -> Split | None:
    """Return CIFAR-10's test images, or None where `root` has no `test_batch`.

    Raises:
        DataError: if the file is there but not a batch of CIFAR-10.
    """
    folder = _batches_folder(root)
    if folder is None or not (folder / "test_batch").is_file():
        return None
    images, labels = read_batch(folder / "test_batch")
    return Split(images=_tensor(images), labels=torch.from_numpy(labels))


def find_unlabelled(root: Path) -> Path | None:
    """Return the competition's test file near `root`, or None.

    Looked for in `root`, beside `cifar-10-batches-py`, and, as the competition's archive unpacks,
    beside the `cifar-10-python` that holds it.

    Args:
        root: as for `load_labelled`.
    """
    folders = [root, root / _COMPETITION_FOLDER]
    batches = _batches_folder(root)
    if batches is not None:
        # absolute(), because the parent of "." is "." again
        parent = batches.absolute().parent if batches == root else batches.parent
        folders += [batches, parent]
        if parent.absolute().name == _ARCHIVE_FOLDER:
            folders.append(parent.absolute().parent)
    candidates = (folder / name for folder in folders for name in _UNLABELLED_NAMES)
    return next((path for path in candidates if path.is_file()), None)


def load_unlabelled(path: Path) -> Unlabelled:
    """Return the competition's test images with the ids that the file gives them.

    Args:
        path: a pickle with `data`, (n, 32, 32, 3) as in 2025, planar (n, 3072) as in 2024, or
            (n, 3, 32, 32), and `ids`. The shape decides the layout: a reshape of one into another
            scrambles the images without an error.

    Raises:
        DataError: if images or ids are missing, of another shape, type or range, or if ids repeat.
    """
    content = load_pickle(path)
    images = _images(content, path)
    if "ids" not in content:
        raise DataError(
            f"{path}: ids: must name each image, got only {', '.join(sorted(content))}",
            hint="use the competition's own test file: a submission needs the ids that it gives",
        )
    ids = _integers(content["ids"], path, "ids", len(images))
    if len(np.unique(ids)) != len(ids):
        repeated = len(ids) - len(np.unique(ids))
        raise _bad(path, "ids", "must be unique", f"{repeated} repeated")
    return Unlabelled(images=_tensor(images), ids=torch.from_numpy(ids))


def file_report(root: Path) -> dict[str, dict[str, object]]:
    """Return, for each file of CIFAR-10 under `root`, its checksum and whether it is the known one.

    Args:
        root: as for `load_labelled`.

    Returns:
        By file name: `md5`, in hexadecimal, and `published`, a bool.

    Raises:
        DataError: if a file cannot be read.
    """
    folder = _batches_folder(root)
    if folder is None:
        return {}
    report: dict[str, dict[str, object]] = {}
    for name, published in _PUBLISHED_MD5.items():
        path = folder / name
        if path.is_file():
            md5 = _md5(path)
            report[name] = {"md5": md5, "published": md5 == published}
    return report


def warn_unpublished(report: Mapping[str, Mapping[str, object]]) -> None:
    """Log one warning where images differ from the published ones; other images are allowed.

    Args:
        report: what `file_report` returned.
    """
    published = [
        bool(entry["published"]) for name, entry in report.items() if name != "batches.meta"
    ]
    if not all(published):
        _log.warning(
            "the images are not the published CIFAR-10 bytes (%d of %d files differ): "
            "accuracies compare only with runs on the same files",
            published.count(False),
            len(published),
        )


def _batches_folder(root: Path) -> Path | None:
    """Return the folder that holds at least one file of images, or None."""
    folders = (
        root / BATCHES_FOLDER,
        root,
        root / _ARCHIVE_FOLDER / BATCHES_FOLDER,
        root / _COMPETITION_FOLDER / _ARCHIVE_FOLDER / BATCHES_FOLDER,
    )
    names = (*_TRAIN_FILES, "test_batch")
    return next((f for f in folders if any((f / name).is_file() for name in names)), None)


def read_batch(path: Path) -> tuple[_Array, _Integers]:
    """Return images (n, 3, 32, 32) uint8, maybe read-only, and labels (n,) int64 of one batch."""
    content = load_pickle(path)
    images = _images(content, path, planar_only=True)
    if "labels" not in content:
        raise _bad(path, "labels", "must be there", ", ".join(sorted(content)))
    labels = _integers(content["labels"], path, "labels", len(images))
    if labels.min() < 0 or labels.max() > 9:
        raise _bad(path, "labels", "must lie in 0 to 9", f"{labels.min()} to {labels.max()}")
    return images, labels


def _images(content: Mapping[str, object], path: Path, *, planar_only: bool = False) -> _Array:
    """Return `data` as (n, 3, 32, 32) uint8, a view where it can be one."""
    data = content.get("data")
    if not isinstance(data, np.ndarray):
        got = "no such key" if data is None else type(data).__name__
        raise _bad(path, "data", "must be an array of images", got)
    if data.dtype.kind not in "iu":
        raise _bad(path, "data", "must be integers from 0 to 255", str(data.dtype))
    shape = data.shape
    if len(shape) == 2 and shape[1] == 3072:
        data = data.reshape(-1, 3, 32, 32)
    elif not planar_only and shape[1:] == (32, 32, 3):
        data = data.transpose(0, 3, 1, 2)
    elif planar_only or shape[1:] != (3, 32, 32):
        rule = "(n, 3072)" if planar_only else "(n, 32, 32, 3), (n, 3, 32, 32) or (n, 3072)"
        raise _bad(path, "data", f"must have shape {rule}", str(shape))
    if len(data) == 0:
        raise _bad(path, "data", "must hold at least one image", str(shape))
    if data.dtype != np.uint8 and (data.min() < 0 or data.max() > 255):
        raise _bad(path, "data", "must lie in 0 to 255", f"{data.min()} to {data.max()}")
    return cast(_Array, data.astype(np.uint8, copy=False))


def _integers(value: object, path: Path, key: str, count: int) -> _Integers:
    """Return a list or vector of `count` integers as int64."""
    if isinstance(value, list):
        # type(), not isinstance(): True is an int, and as a label it would be a mistake
        odd = sorted({type(item).__name__ for item in value} - {"int"})
        if odd:
            raise _bad(path, key, "must be integers", ", ".join(odd))
        try:
            value = np.array(value, dtype=np.int64)
        except OverflowError:
            raise _bad(path, key, "must fit in 64 bits", "a larger integer") from None
    if not isinstance(value, np.ndarray):
        raise _bad(path, key, "must be a list or array of integers", type(value).__name__)
    if value.ndim != 1 or value.dtype.kind not in "iu":
        raise _bad(path, key, "must be a row of integers", f"{value.dtype} of shape {value.shape}")
    if len(value) != count:
        raise _bad(path, key, f"must be as many as the images ({count})", str(len(value)))
    if value.dtype == np.uint64 and value.max() >= 2**63:
        raise _bad(path, key, "must fit in 64 bits", str(value.max()))
    return value.astype(np.int64)


def _tensor(array: _Array) -> Tensor:
    """Return a contiguous tensor with memory of its own: pickled bytes are read-only."""
    return torch.from_numpy(np.array(array, order="C", copy=True))


def _md5(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # usedforsecurity: without it, FIPS machines refuse md5 altogether
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(
            f"{path}: cannot read this file: {error.strerror}",
            hint="check that you may read it",
        ) from error


def _bad(path: Path, key: str, rule: str, got: str) -> DataError:
    """Return the error for a file that is readable but not what it should be."""
    return DataError(
        f"{path}: {key}: {rule}, got {got}",
        hint="use the files of cifar-10-python.tar.gz, or the competition's own test file",
    )
