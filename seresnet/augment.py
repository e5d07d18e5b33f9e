"""Augmentations of a whole batch: pure functions of images and drawn values.

Shape letters: N images of a batch, C channels (red, green, blue), H rows, W columns, K draws an
image. Nothing here draws a number, reads a value back to the host or has a shape that depends on
the data, so a step can be captured in a CUDA graph.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from seresnet.config import TrainConfig
from seresnet.device import constant
from seresnet.trivial_augment import trivial_augment

# Columns of `draws_NK`: the factors of brightness, contrast and saturation, the shift of hue (0:4);
# the sort keys that order these four (4:8); row and column of the crop (8:10); flip (10); row and
# column of cutout's centre (11:13); operation, magnitude and sign of TrivialAugment (13:16).
NUM_DRAWS = 16

_GREY_WEIGHTS = (0.2989, 0.587, 0.114)  # as in torchvision; they sum to 0.9999


def augment(images_NCHW: Tensor, draws_NK: Tensor, config: TrainConfig) -> Tensor:
    """Return images as the network sees them in training: the seed recipe's chain, in its order.

    Colour jitter, random crop with zero padding, flip, normalise, cutout; TrivialAugment after the
    flip where it is asked for. The padding is black because the jitter comes before the crop.

    Args:
        images_NCHW: (n, 3, 32, 32), uint8.
        draws_NK: (n, NUM_DRAWS), float32, uniform in [0, 1), on the same device.
        config: strengths, probability and sizes.

    Returns:
        (n, 3, 32, 32), float32.
    """
    brightness_N, contrast_N, saturation_N, hue_N = _jitter_values(draws_NK[:, :4], config)
    images = color_jitter(
        images_NCHW / 255,
        brightness_N=brightness_N,
        contrast_N=contrast_N,
        saturation_N=saturation_N,
        hue_N=hue_N if config.hue else None,
        order_N4=draws_NK[:, 4:8],
    )
    offsets_N2 = _integers(draws_NK[:, 8:10], 2 * config.crop_padding + 1)
    images = random_crop(images, offsets_N2=offsets_N2, padding=config.crop_padding)
    images = random_flip(images, flip_N=draws_NK[:, 10] < config.flip_probability)
    if config.trivial_augment:
        images = trivial_augment(images, draws_NK[:, 13:16])
    images = normalise(images, config.mean, config.std)
    centres_N2 = _integers(draws_NK[:, 11:13], images.shape[-1])
    return cutout(images, centres_N2=centres_N2, size=config.cutout_size)


def normalise_images(images_NCHW: Tensor, config: TrainConfig) -> Tensor:
    """Return images as the network sees them in evaluation: (n, 3, h, w), uint8 to float32."""
    return normalise(images_NCHW / 255, config.mean, config.std)


def color_jitter(
    images_NCHW: Tensor,
    *,
    brightness_N: Tensor,
    contrast_N: Tensor,
    saturation_N: Tensor,
    hue_N: Tensor | None,
    order_N4: Tensor,
) -> Tensor:
    """Return images after the four operations of torchvision's ColorJitter, in a drawn order.

    Brightness, contrast and saturation commute when nothing is clamped between them, so all that
    lie on one side of hue are a single affine map. torchvision clamps after each operation, this
    function before hue and at the end. On 10,000 training images at the recipe's strengths 1.1% of
    the values differ by more than 1/255 (mean difference 0.0003, largest 0.15), while the rounding
    of torchvision's own path through 8-bit PIL images moves values by 0.005 on average.

    Args:
        images_NCHW: (n, 3, h, w), float, in [0, 1].
        brightness_N: (n,), >= 0; 0 is black, 1 the same image.
        contrast_N: (n,), >= 0; 0 is the mean of the grey image, 1 the same image.
        saturation_N: (n,), >= 0; 0 is grey, 1 the same image.
        hue_N: (n,), in [-0.5, 0.5], fraction of the colour circle; None is no shift, and faster.
        order_N4: (n, 4), sort keys of brightness, contrast, saturation and hue: the operation with
            the smallest key comes first. Uniform draws make every order equally likely.

    Returns:
        (n, 3, h, w), in [0, 1].
    """
    factors_N3 = torch.stack((brightness_N, contrast_N, saturation_N), dim=1)
    if hue_N is None:
        return _scale_colors(images_NCHW, factors_N3)
    is_before_N3 = order_N4[:, :3] < order_N4[:, 3:]
    images = _scale_colors(images_NCHW, torch.where(is_before_N3, factors_N3, 1.0))
    images = _shift_hue(images, hue_N)
    return _scale_colors(images, torch.where(is_before_N3, 1.0, factors_N3))


def random_crop(images_NCHW: Tensor, *, offsets_N2: Tensor, padding: int) -> Tensor:
    """Return, for each image with a black border around it, the window of the original size.

    Args:
        images_NCHW: (n, c, h, w).
        offsets_N2: (n, 2), int64, first row and column of the window, in [0, 2 * padding].
        padding: pixels on each side, >= 0.

    Returns:
        (n, c, h, w).
    """
    N, _, H, W = images_NCHW.shape
    padded = F.pad(images_NCHW, (padding, padding, padding, padding))
    windows = padded.unfold(2, H, 1).unfold(3, W, 1)  # a view: every window of every image
    batch_N = torch.arange(N, device=images_NCHW.device)
    return windows[batch_N, :, offsets_N2[:, 0], offsets_N2[:, 1]]


def random_flip(images_NCHW: Tensor, *, flip_N: Tensor) -> Tensor:
    """Return images (n, c, h, w), mirrored left to right where `flip_N` (n,), bool, is true."""
    return torch.where(flip_N[:, None, None, None], images_NCHW.flip(3), images_NCHW)


def normalise(
    images_NCHW: Tensor, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Tensor:
    """Return (images - mean) / std of each channel; (n, 3, h, w), float, std > 0."""
    device = images_NCHW.device
    mean_C11 = constant(mean, device)[:, None, None]
    std_C11 = constant(std, device)[:, None, None]
    return (images_NCHW - mean_C11).div_(std_C11)


def cutout(images_NCHW: Tensor, *, centres_N2: Tensor, size: int) -> Tensor:
    """Return images with a square hole of zeros, the mean colour of normalised images.

    The hole covers rows [y - size // 2, y + size // 2) and columns alike, clipped at the border:
    an odd size makes the hole of the even one below, as in the paper's code.

    Args:
        images_NCHW: (n, c, s, s), float, normalised.
        centres_N2: (n, 2), int64, row and column, in [0, s).
        size: side of the hole, pixels, >= 0; 0 returns the images unchanged.

    Source: DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552, section 3.2.
    """
    if size == 0:
        return images_NCHW
    # Measured from pixel centres, the half-open range is symmetrical: one comparison for both ends.
    pixels = torch.arange(images_NCHW.shape[-1], device=images_NCHW.device) + 0.5
    is_outside_N2S = (pixels - centres_N2[:, :, None]).abs_() > size // 2
    is_kept_NHW = is_outside_N2S[:, 0, :, None] | is_outside_N2S[:, 1, None, :]
    # A product is 4 times faster than masked_fill on a CPU; it leaves zeros of either sign.
    return images_NCHW * is_kept_NHW[:, None]


def mixup(images_NCHW: Tensor, *, partners_N: Tensor, lam: Tensor | float) -> Tensor:
    """Return lam * images + (1 - lam) * images[partners]; the loss blends the targets alike.

    Args:
        images_NCHW: (n, c, h, w), float.
        partners_N: (n,), int64, a permutation of the batch.
        lam: share of the image itself, in [0, 1]; a tensor is of the images' dtype and device, one
            number or (h, w). 1 returns the very values of the images, and a map of 0 inside a box
            and 1 outside is CutMix.

    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, section 2; Yun et al. 2019,
    https://arxiv.org/abs/1905.04899, section 3.1.
    """
    return torch.lerp(images_NCHW[partners_N], images_NCHW, lam)


def _jitter_values(draws_N4: Tensor, config: TrainConfig) -> tuple[Tensor, ...]:
    """Return the factors of brightness, contrast and saturation and the shift of hue, (n,) each."""
    strengths = (config.brightness, config.contrast, config.saturation)
    low = constant((*(1 - x for x in strengths), -config.hue), draws_N4.device)
    width = constant((*(2 * x for x in strengths), 2 * config.hue), draws_N4.device)
    return torch.addcmul(low, draws_N4, width).unbind(1)


def _scale_colors(images_NCHW: Tensor, factors_N3: Tensor) -> Tensor:
    """Return images after brightness, contrast and saturation of these factors, clamped to [0, 1].

    Brightness is x -> b x, contrast x -> c x + (1 - c) mean(grey(x)), saturation
    x -> s x + (1 - s) grey(x). In any order their product is
    x -> b c s x + b c (1 - s) grey(x) + b (1 - c) (s + (1 - s) grey(1)) mean(grey(x)).
    """
    brightness, contrast, saturation = factors_N3[:, :, None, None, None].unbind(1)
    red, green, blue = images_NCHW.split(1, dim=1)
    weight_red, weight_green, weight_blue = _GREY_WEIGHTS
    grey = torch.add(red * weight_red, green, alpha=weight_green).add_(blue, alpha=weight_blue)
    grey_of_white = sum(_GREY_WEIGHTS)

    both = brightness * contrast
    scale = both * saturation
    mean_share = (brightness - both) * (saturation * (1 - grey_of_white) + grey_of_white)
    offset = torch.addcmul(mean_share * grey.mean((2, 3), keepdim=True), grey, both - scale)
    return torch.addcmul(offset, images_NCHW, scale).clamp_(0.0, 1.0)


def _shift_hue(images_NCHW: Tensor, hue_N: Tensor) -> Tensor:
    """Return images with their hue turned by `hue_N` (n,) of the circle, as torchvision's HSV.

    Hue alone changes, so the largest and the smallest channel of a pixel keep their values, and a
    channel lies between them by its distance from the hue: 1 up to a sixth of the circle, 0 from
    two sixths on. That spares the six cases of a conversion to HSV and back.
    """
    red, green, blue = images_NCHW.split(1, dim=1)
    top, bottom = images_NCHW.amax(1, keepdim=True), images_NCHW.amin(1, keepdim=True)
    spread = top - bottom
    # Sixths of the circle away from red, on green's side or on blue's. For grey any hue will do.
    sixths = 2 - (red + top - green - blue) / spread.clamp_min(1e-6)
    hue = torch.copysign(sixths, green - blue) / 6 + hue_N[:, None, None, None]

    centres_C11 = constant((0.0, 1 / 3, 2 / 3), images_NCHW.device)[:, None, None]
    distance = hue - centres_C11
    distance = (distance - distance.round()).abs_()
    share = distance.mul_(-6).add_(2).clamp_(0.0, 1.0)
    return torch.addcmul(bottom, spread, share)


def _integers(uniforms: Tensor, end: int) -> Tensor:
    """Return int64 in [0, end) of uniforms in [0, 1): 24 bits times `end` never round up to it."""
    return (uniforms * end).long()
