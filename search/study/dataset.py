"""The images of a study: what trials train and are judged on, what the winner is retrained on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from search.study.space import DataConfig
from seresnet.data import (
    CLASS_NAMES,
    Split,
    Unlabelled,
    file_report,
    find_unlabelled,
    load_labelled,
    load_test,
    load_unlabelled,
    warn_unpublished,
)
from seresnet.splits import content_hash, hold_out, stratified_subset
from seresnet.synthetic import NUM_LABELLED, SHAPE_NAMES, load_synthetic

# The hold-out is the same for every study: results of two studies on the same files compare.
_SPLIT_SEED = 0
_NUM_CIFAR10 = 50_000


@dataclass(frozen=True)
class Dataset:
    """The parts of a study's images."""

    train: Split
    """Trials train on these."""
    val: Split
    """Trials are judged on these."""
    report: dict[str, object]
    """Where the images came from, and the hashes of the parts; plain JSON values."""

    @property
    def labelled(self) -> Split:
        """All labelled images that the study admits: the winner is retrained on these."""
        return Split(
            torch.cat([self.train.images, self.val.images]),
            torch.cat([self.train.labels, self.val.labels]),
        )

    @cached_property
    def labelled_sha256(self) -> str:
        """Hash of `labelled`, which is asked for at every look at the retraining."""
        return content_hash(self.labelled)


@dataclass(frozen=True, slots=True)
class LabelledTest:
    """Labelled images that nothing is chosen by: no trial and no retraining sees them."""

    images: Split
    class_names: tuple[str, ...]
    """Of their labels."""


def sizes(config: DataConfig) -> tuple[int, int]:
    """Return how many images a study trains on and judges by, without reading any.

    Training images are at least one: whether the files have as many, reading them tells.
    """
    all_ = NUM_LABELLED if config.source == "synthetic" else _NUM_CIFAR10
    rest = max(1, all_ - config.num_val)
    return rest if config.num_train is None else min(rest, config.num_train), config.num_val


def load_dataset(config: DataConfig, root: Path) -> Dataset:
    """Read, split and hash the images.

    Args:
        config: source and sizes.
        root: folder of the CIFAR-10 files; unused for synthetic images.

    Raises:
        DataError: files are missing or damaged, or too small for the split.
    """
    if config.source == "synthetic":
        labelled, files = load_synthetic()[0], None
    else:
        labelled, files = load_labelled(root), file_report(root)
        warn_unpublished(files)
    train, val = hold_out(labelled, num_val=config.num_val, seed=_SPLIT_SEED)
    if config.num_train is not None:
        train = stratified_subset(train, num=config.num_train, seed=_SPLIT_SEED)
    report: dict[str, object] = {
        "source": config.source,
        "files": files,
        "num_train": len(train),
        "num_val": len(val),
        "split_seed": _SPLIT_SEED,
        "train_sha256": content_hash(train),
        "val_sha256": content_hash(val),
    }
    return Dataset(train, val, report)


def load_test_images(config: DataConfig, root: Path, test: Path | None) -> Unlabelled | None:
    """Return the images to be labelled for the submission; none where there is no such file.

    Args:
        config: source.
        root: folder where the competition's file is looked for.
        test: the file, if the user named one.

    Raises:
        DataError: the file is damaged or of another kind.
    """
    if test is not None:
        return load_unlabelled(test)
    if config.source == "synthetic":
        images = load_synthetic()[1].images
        return Unlabelled(images, torch.arange(len(images)))
    found = find_unlabelled(root)
    return None if found is None else load_unlabelled(found)


def load_labelled_test(config: DataConfig, root: Path) -> LabelledTest | None:
    """Return the labelled test set; None where its file is missing.

    Args:
        config: source.
        root: folder of the CIFAR-10 files; unused for synthetic images.

    Raises:
        DataError: the file is damaged.
    """
    if config.source == "synthetic":
        return LabelledTest(load_synthetic()[1], SHAPE_NAMES)
    test = load_test(root)
    return None if test is None else LabelledTest(test, CLASS_NAMES)
