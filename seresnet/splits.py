"""Stratified parts of a labelled set, and a set's identity."""

import hashlib

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seresnet.data import CLASS_NAMES, Split
from seresnet.errors import DataError

_Counts = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

# One stream of random numbers for each purpose, so that a hold-out and a subset of the same seed
# have nothing to do with each other.
_HOLD_OUT, _SUBSET = 0, 1


def hold_out(split: Split, *, num_val: int, seed: int) -> tuple[Split, Split]:
    """Return a training and a validation part; together they are `split`.

    Stratified: each class gives its share of `num_val`, rounded up or down. Images keep their
    order inside each part.

    Args:
        split: at least one image more of each class than the validation part takes.
        num_val: images in the validation part, >= 1.
        seed: >= 0; the only source of randomness. Same seed, same parts, on any machine.

    Raises:
        DataError: if `num_val` is below 1 or leaves a class without training images.
    """
    most = len(split) - len(CLASS_NAMES)
    if not 1 <= num_val <= most:
        raise DataError(
            f"data.num_val: must lie in 1 to {most}, "
            f"one image of each class left for training out of {len(split)}, got {num_val}",
            hint="hold out about a tenth of the labelled images",
        )
    is_val = _draw(split.labels, num=num_val, seed=seed, purpose=_HOLD_OUT)
    emptied = np.setdiff1d(split.labels.numpy(), split.labels.numpy()[~is_val])
    if len(emptied):
        names = ", ".join(CLASS_NAMES[label] for label in emptied)
        raise DataError(
            f"data.num_val: must leave training images of each class, got {num_val}, "
            f"which takes every {names}",
            hint="hold out about a tenth of the labelled images",
        )
    return _take(split, ~is_val), _take(split, is_val)


def stratified_subset(split: Split, *, num: int, seed: int) -> Split:
    """Return `num` images with the class shares of `split`, in their order.

    Args:
        split: the images to draw from.
        num: 10, one a class, to len(split).
        seed: >= 0; the only source of randomness.

    Raises:
        DataError: if `num` is out of range.
    """
    if not len(CLASS_NAMES) <= num <= len(split):
        raise DataError(
            f"data.num_train: must lie in {len(CLASS_NAMES)} to {len(split)}, got {num}",
            hint="leave data.num_train out to train on all images",
        )
    return _take(split, _draw(split.labels, num=num, seed=seed, purpose=_SUBSET))


def content_hash(split: Split) -> str:
    """Return the SHA-256, in hexadecimal, of the images' bytes followed by the labels'."""
    digest = hashlib.sha256()
    for tensor in (split.images, split.labels):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _draw(labels: Tensor, *, num: int, seed: int, purpose: int) -> _Mask:
    """Return a mask (n,) of `num` images, stratified by label.

    Each image draws a raw 64-bit number and each class gives those with the smallest: of all that
    NumPy draws, only the raw output of a bit generator is promised never to change (NEP 19).
    """
    classes, members = np.unique(labels.numpy(), return_inverse=True)
    stream = np.random.SeedSequence(seed, spawn_key=(purpose,))
    keys = np.random.PCG64(stream).random_raw(len(labels))
    quotas = _quotas(np.bincount(members), num)
    mask = np.zeros(len(labels), dtype=np.bool_)
    for index in range(len(classes)):
        of_class = np.flatnonzero(members == index)
        mask[of_class[np.argsort(keys[of_class], kind="stable")[: quotas[index]]]] = True
    return mask


def _quotas(counts: _Counts, num: int) -> _Counts:
    """Return each class's share of `num`: rounded down, the rest to the largest remainders."""
    shares, remainders = np.divmod(counts * num, counts.sum())
    largest_first = np.argsort(-remainders, kind="stable")
    shares[largest_first[: num - shares.sum()]] += 1
    return shares


def _take(split: Split, mask: _Mask) -> Split:
    """Return the masked images; this indexing is the only copy."""
    index = torch.from_numpy(np.flatnonzero(mask))
    return Split(images=split.images[index], labels=split.labels[index])
