"""Ten classes of drawn shapes and textures: a data set that needs no files."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seresnet.data import Split

NUM_LABELLED = 4_000
"""Images in the labelled part of the embedded set."""
NUM_TEST = 1_000
"""Images in its test part."""
SHAPE_NAMES: tuple[str, ...] = (
    "disc", "ring", "square", "triangle", "plus", "saltire", "rows", "columns", "chequers",
    "diagonals",
)  # fmt: skip
"""Its classes, in the order of their labels."""

_BLOCK = 500  # images drawn at a time: the arrays stay in the cache, and memory stays small
_LABELLED_SEED, _TEST_SEED = 0, 1

_Floats = npt.NDArray[np.floating[Any]]
_Labels = npt.NDArray[np.int64]
_Shape = Callable[[_Floats, _Floats, _Floats], _Floats]


def load_synthetic() -> tuple[Split, Split]:
    """Return the embedded set: `NUM_LABELLED` labelled images and `NUM_TEST` test images.

    The test part's labels are for scoring; whoever needs an unlabelled file leaves them out.
    """
    return (
        make_synthetic(num=NUM_LABELLED, seed=_LABELLED_SEED),
        make_synthetic(num=NUM_TEST, seed=_TEST_SEED),
    )


def make_synthetic(*, num: int, seed: int) -> Split:
    """Return `num` images of ten balanced classes, in random order.

    Disc, ring, square, triangle, plus, saltire, horizontal stripes, vertical stripes, chequers and
    diagonal stripes. Colours, size, place, tilt, background and noise are random and say nothing of
    the class; a mirror image, a shift, another hue or a hole leaves it recognisable.

    Args:
        num: images, >= 1; class counts differ by at most one.
        seed: >= 0; same seed, same images.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(num) % len(_SHAPES))
    images = np.empty((num, 3, 32, 32), dtype=np.uint8)
    for start in range(0, num, _BLOCK):
        block = labels[start : start + _BLOCK]
        images[start : start + _BLOCK] = _draw(block, rng)
    return Split(images=torch.from_numpy(images), labels=torch.from_numpy(labels))


def _draw(labels: _Labels, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return (n, 3, 32, 32) images: the class's mask blends a background into a figure."""
    n = len(labels)
    # Behind the figure lies a fainter one of any class; it keeps good networks below 100%.
    pixels = _ground(n, rng)
    for figures, low, high in ((rng.permutation(labels), 0.0, 0.25), (labels, 0.3, 0.8)):
        # Always lighter than its ground: with either sign, small networks learn nothing for epochs.
        light = np.abs(rng.standard_normal((n, 3, 1, 1), dtype=np.float32))
        light /= np.linalg.norm(light, axis=1, keepdims=True)
        pixels += _mask(figures, rng)[:, None] * light * _uniform(rng, n, low, high)[:, None]
    noise = rng.standard_normal(pixels.shape, dtype=np.float32)
    pixels += noise * _uniform(rng, n, 0.02, 0.14)[:, None]
    return (pixels * 255).clip(0, 255).astype(np.uint8)


def _mask(labels: _Labels, rng: np.random.Generator) -> _Floats:
    """Return (n, 32, 32) in [0, 1]: 1 inside the figure, a pixel of transition at its edge."""
    n = len(labels)
    axis = np.arange(32, dtype=np.float32)
    radius = _uniform(rng, n, 7, 13)
    x = (axis[None, None, :] - _uniform(rng, n, 11, 20)) / radius
    y = (axis[None, :, None] - _uniform(rng, n, 11, 20)) / radius
    tilt = _uniform(rng, n, -0.25, 0.25)
    # u and v run from -1 to 1 across the figure; a mirrored tilt is as likely as the tilt
    u, v = np.cos(tilt) * x + np.sin(tilt) * y, np.cos(tilt) * y - np.sin(tilt) * x
    phase = _uniform(rng, n, 0, 2 * np.pi)
    mask = np.empty((n, 32, 32), dtype=np.float32)
    for label, shape in enumerate(_SHAPES):
        of_class = labels == label
        inside = shape(u[of_class], v[of_class], phase[of_class])
        mask[of_class] = (inside * radius[of_class] + 0.5).clip(0, 1)
    return mask


def _ground(n: int, rng: np.random.Generator) -> _Floats:
    """Return (n, 3, 32, 32): a random colour that changes linearly in a random direction."""
    axis = np.linspace(-1, 1, 32, dtype=np.float32)
    colour = _uniform(rng, 3 * n, 0.2, 0.6).reshape(n, 3, 1, 1)
    across = _uniform(rng, 3 * n, -0.15, 0.15).reshape(n, 3, 1, 1) * axis[None, None, None, :]
    down = _uniform(rng, 3 * n, -0.15, 0.15).reshape(n, 3, 1, 1) * axis[None, None, :, None]
    return np.asarray(colour + across + down, dtype=np.float32)


def _uniform(rng: np.random.Generator, n: int, low: float, high: float) -> _Floats:
    """Return (n, 1, 1) draws from [low, high)."""
    return rng.random((n, 1, 1), dtype=np.float32) * np.float32(high - low) + np.float32(low)


# Each shape returns how far a point lies inside the figure, in units of its radius; outside < 0.


def _both(first: _Floats, second: _Floats) -> _Floats:
    """Return the intersection of two figures."""
    inside: _Floats = np.minimum(first, second)
    return inside


def _disc(u: _Floats, v: _Floats, _phase: _Floats) -> _Floats:
    return 1 - np.hypot(u, v)


def _ring(u: _Floats, v: _Floats, _phase: _Floats) -> _Floats:
    return 0.22 - np.abs(np.hypot(u, v) - 0.75)


def _square(u: _Floats, v: _Floats, _phase: _Floats) -> _Floats:
    return 0.85 - np.maximum(np.abs(u), np.abs(v))


def _triangle(u: _Floats, v: _Floats, _phase: _Floats) -> _Floats:
    return _both(0.7 - v, 0.45 * (v + 1) - 0.85 * np.abs(u))


def _plus(u: _Floats, v: _Floats, _phase: _Floats) -> _Floats:
    u, v = np.abs(u), np.abs(v)
    return _both(0.25 - np.minimum(u, v), 0.95 - np.maximum(u, v))


def _saltire(u: _Floats, v: _Floats, phase: _Floats) -> _Floats:
    return _plus((u + v) / np.float32(2**0.5), (u - v) / np.float32(2**0.5), phase)


def _rows(u: _Floats, v: _Floats, phase: _Floats) -> _Floats:
    return _both(_square(u, v, phase), 0.16 * np.sin(6.5 * v + phase))


def _columns(u: _Floats, v: _Floats, phase: _Floats) -> _Floats:
    return _rows(v, u, phase)


def _chequers(u: _Floats, v: _Floats, phase: _Floats) -> _Floats:
    cells = np.sin(5 * u + phase) * np.sin(5 * v + phase)
    return _both(_square(u, v, phase), 0.2 * cells)


def _diagonals(u: _Floats, v: _Floats, phase: _Floats) -> _Floats:
    # A mirror turns one diagonal into the other, so the class holds both.
    sign = np.where(phase < np.pi, np.float32(1), np.float32(-1))
    stripes = np.sin(4.6 * (u + sign * v) + 2 * phase)
    return _both(_square(u, v, phase), 0.16 * stripes)


_SHAPES: tuple[_Shape, ...] = (
    _disc, _ring, _square, _triangle, _plus, _saltire, _rows, _columns, _chequers, _diagonals,
)  # fmt: skip
