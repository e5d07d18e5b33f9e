"""TrivialAugment of a whole batch: each image goes through one drawn operation of 14.

All operations are computed for all images, and each image takes its own: no shape depends on the
data and nothing is read back, so a step can be captured in a CUDA graph. They work on whole numbers
from 0 to 255, as those of torchvision do.

Shape letters: N images of a batch, C channels, H rows, W columns.

Source: Müller and Hutter 2021, https://arxiv.org/abs/2103.10158, section 3; the wide space, as
`torchvision.transforms.TrivialAugmentWide` (nearest neighbour, black outside).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from seresnet.device import constant

OPERATIONS = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
    "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip
NUM_BINS = 31
"""Magnitudes of an operation, evenly spaced, the first the weakest."""

_SHEAR_X, _SHEAR_Y, _TRANSLATE_X, _TRANSLATE_Y, _ROTATE, _BRIGHTNESS = range(1, 7)
_COLOR, _CONTRAST, _SHARPNESS, _POSTERIZE, _SOLARIZE, _AUTOCONTRAST, _EQUALIZE = range(7, 14)
# Weakest and strongest magnitude, and whether the sign is drawn; of Posterize bits are dropped.
_RANGES = (
    (0, 0, False), (0, 0.99, True), (0, 0.99, True), (0, 32, True), (0, 32, True), (0, 135, True),
    (0, 0.99, True), (0, 0.99, True), (0, 0.99, True), (0, 0.99, True), (0, 6, False),
    (255, 0, False), (0, 0, False), (0, 0, False),
)  # fmt: skip
_GREY_WEIGHTS = (0.2989, 0.587, 0.114)  # as in torchvision
_NUM_LEVELS = 256


def trivial_augment(images_NCHW: Tensor, draws_N3: Tensor) -> Tensor:
    """Return images, each after the operation that is drawn for it.

    Args:
        images_NCHW: (n, 3, s, s), float32, in [0, 1]; rounded to 8 bits.
        draws_N3: (n, 3), uniform in [0, 1): operation, magnitude, sign.

    Returns:
        (n, 3, s, s), in [0, 1].
    """
    operation_N = (draws_N3[:, 0] * len(OPERATIONS)).long()
    bin_N = (draws_N3[:, 1] * NUM_BINS).floor()
    low, high, is_signed = _of_operation(operation_N)
    strength_N = low + (high - low) * (bin_N / (NUM_BINS - 1))
    sign_N = torch.where((draws_N3[:, 2] < 0.5) & (is_signed > 0), -1.0, 1.0)
    images = apply(images_NCHW.mul(255).round_(), operation_N, strength_N * sign_N)
    return images.div_(255)


def apply(pixels_NCHW: Tensor, operation_N: Tensor, magnitude_N: Tensor) -> Tensor:
    """Return images, each after an operation of a magnitude.

    Args:
        pixels_NCHW: (n, 3, s, s), float32, whole numbers from 0 to 255.
        operation_N: (n,), int64, positions in `OPERATIONS`.
        magnitude_N: (n,), float32; of Posterize the bits that are dropped, a fraction rounded.
    """

    def where(*operations: int) -> Tensor:
        chosen = [operation_N == operation for operation in operations]
        return torch.stack(chosen).any(0)[:, None, None, None]

    moved = _move(pixels_NCHW, operation_N, magnitude_N)
    blended = _blend(pixels_NCHW, operation_N, magnitude_N)
    strength = magnitude_N[:, None, None, None]
    result = torch.where(where(*range(_SHEAR_X, _BRIGHTNESS)), moved, pixels_NCHW)
    result = torch.where(where(*range(_BRIGHTNESS, _POSTERIZE)), blended, result)
    result = torch.where(where(_POSTERIZE), _posterize(pixels_NCHW, strength), result)
    solarised = torch.where(pixels_NCHW >= strength, 255 - pixels_NCHW, pixels_NCHW)
    result = torch.where(where(_SOLARIZE), solarised, result)
    result = torch.where(where(_AUTOCONTRAST), _autocontrast(pixels_NCHW), result)
    return torch.where(where(_EQUALIZE), _equalize(pixels_NCHW), result)


def _of_operation(operation_N: Tensor) -> tuple[Tensor, ...]:
    """Return the weakest and the strongest magnitude, and whether the sign is drawn, (n,) each."""
    device = operation_N.device
    columns = [constant(tuple(map(float, c)), device) for c in zip(*_RANGES, strict=True)]
    return tuple(column[operation_N] for column in columns)


def _move(pixels_NCHW: Tensor, operation_N: Tensor, magnitude_N: Tensor) -> Tensor:
    """Return images sheared from the corner, moved by whole pixels or turned about the middle."""

    def only(operation: int, values: Tensor) -> Tensor:
        return torch.where(operation_N == operation, values, 0.0)

    half = pixels_NCHW.shape[-1] / 2
    shear_x, shear_y = only(_SHEAR_X, magnitude_N), only(_SHEAR_Y, magnitude_N)
    pixels = magnitude_N.trunc() / half
    right, down = only(_TRANSLATE_X, pixels), only(_TRANSLATE_Y, pixels)
    angle = only(_ROTATE, magnitude_N * (math.pi / 180))
    cosine, sine = angle.cos(), angle.sin()
    # From a pixel of the result to one of the image, in halves of the side from the middle.
    rows = (cosine, shear_x - sine, shear_x - right, shear_y + sine, cosine, shear_y - down)
    theta_N23 = torch.stack(rows, dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta_N23, list(pixels_NCHW.shape), align_corners=False)
    return F.grid_sample(pixels_NCHW, grid, mode="nearest", align_corners=False)


def _blend(pixels_NCHW: Tensor, operation_N: Tensor, magnitude_N: Tensor) -> Tensor:
    """Return images moved towards or away from black, grey, their mean grey or a blurred copy."""

    def is_(operation: int) -> Tensor:
        return (operation_N == operation)[:, None, None, None]

    red, green, blue = pixels_NCHW.split(1, dim=1)
    weight_red, weight_green, weight_blue = _GREY_WEIGHTS
    grey = (red * weight_red + green * weight_green + blue * weight_blue).floor()
    other = torch.where(is_(_COLOR), grey, torch.zeros_like(pixels_NCHW))
    other = torch.where(is_(_CONTRAST), grey.mean((1, 2, 3), keepdim=True), other)
    other = torch.where(is_(_SHARPNESS), _blur(pixels_NCHW), other)
    factor = 1 + magnitude_N[:, None, None, None]
    return (factor * pixels_NCHW + (1 - factor) * other).clamp_(0, 255).floor_()


def _blur(pixels_NCHW: Tensor) -> Tensor:
    """Return images after a 3x3 mean in which the middle counts five times; borders as they are."""
    mean = F.avg_pool2d(pixels_NCHW, 3, stride=1) * 9
    inner = pixels_NCHW[:, :, 1:-1, 1:-1]
    blurred = pixels_NCHW.clone()
    blurred[:, :, 1:-1, 1:-1] = ((mean + 4 * inner) / 13).round_()
    return blurred


def _posterize(pixels_NCHW: Tensor, dropped: Tensor) -> Tensor:
    """Return images with as many low bits set to zero."""
    step = torch.exp2(dropped.round())
    return (pixels_NCHW / step).floor_() * step


def _autocontrast(pixels_NCHW: Tensor) -> Tensor:
    """Return images whose channels each span 0 to 255; a channel of one value stays."""
    low, high = pixels_NCHW.amin((2, 3), keepdim=True), pixels_NCHW.amax((2, 3), keepdim=True)
    is_flat = high == low
    scale = torch.where(is_flat, 1.0, 255 / (high - low))
    low = torch.where(is_flat, 0.0, low)
    return ((pixels_NCHW - low) * scale).clamp_(0, 255).floor_()


def _equalize(pixels_NCHW: Tensor) -> Tensor:
    """Return images whose channels have an even histogram; a channel of too few values stays."""
    N, C, H, W = pixels_NCHW.shape
    levels = pixels_NCHW.long().view(N * C, H * W)
    counts = torch.zeros(N * C, _NUM_LEVELS, device=pixels_NCHW.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    of_brightest = counts.gather(1, levels.amax(1, keepdim=True))
    step = ((H * W - of_brightest) / 255).floor_()
    below = F.pad(counts.cumsum(1)[:, :-1], (1, 0))
    table = ((below + (step / 2).floor()) / step.clamp_min(1)).floor_().clamp_(0, 255)
    equal = table.gather(1, levels).view(N, C, H, W)
    return torch.where((step == 0).view(N, C, 1, 1), pixels_NCHW, equal)
