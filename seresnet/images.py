"""Images to be labelled: PNG and JPEG files, a folder of them, or a pickle that `data` reads."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from seresnet.data import load_unlabelled, read_batch
from seresnet.errors import DataError
from seresnet.pickles import load_pickle

_log = logging.getLogger(__name__)
_SIDE = 32  # pixels
_SUFFIXES = (".png", ".jpg", ".jpeg")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff")
_MAX_PIXELS = 100_000_000
# 16-bit and floating-point pixels would be cut off, not scaled, on their way to 8 bits.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB")


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images with the names under which their labels are told.

    Args:
        images: (n, 3, 32, 32), uint8, RGB.
        names: n of them: file names, or the numbers of a pickle's images.
    """

    images: Tensor
    names: list[str]


def load_images(path: Path) -> Images:
    """Return the images of a file or folder.

    Pictures of another size are cut to their middle square and shrunk, or stretched, to 32x32,
    with one warning: the network has seen nothing else.

    Args:
        path: a PNG or JPEG file, a folder of such files (other files in it are passed over), the
            competition's test file, or a batch of CIFAR-10.

    Raises:
        DataError: it is missing or none of these, or a picture is damaged; all damaged pictures of
            a folder are named.
    """
    if path.is_dir():
        files = [each for each in sorted(path.iterdir()) if each.suffix.lower() in _SUFFIXES]
        if not files:
            raise DataError(
                f"{path}: must hold PNG or JPEG files, got none",
                "name a folder of pictures, or a file",
            )
        return _load_pictures(files)
    if _is_picture(path):
        return _load_pictures([path])
    return _load_pickle(path)


def _is_picture(path: Path) -> bool:
    """Return whether a file is a picture by its first bytes, or claims to be one by its name."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(_MAGIC) or path.suffix.lower() in _SUFFIXES
    except OSError as error:
        raise DataError(
            f"{path}: cannot read this file: {error.strerror}", "check the name, and that you may"
        ) from error


def _load_pickle(path: Path) -> Images:
    if "ids" in load_pickle(path):
        unlabelled = load_unlabelled(path)
        return Images(unlabelled.images, [str(k) for k in unlabelled.ids.tolist()])
    images, _ = read_batch(path)
    return Images(torch.from_numpy(np.array(images)), [str(k) for k in range(len(images))])


def _load_pictures(paths: list[Path]) -> Images:
    pictures, problems, num_resized = [], [], 0
    for path in paths:
        try:
            pixels, is_resized = _read(path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            # Pillow's decoders raise each of these for damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            problems.append(f"{path}: cannot read this picture: {reason.replace(str(path), 'it')}")
        else:
            pictures.append(pixels)
            num_resized += is_resized
    if problems:
        raise DataError("\n".join(problems), "name PNG or JPEG files that a viewer opens")
    if num_resized:
        _log.warning(
            "%d of %d pictures are not 32x32: their middle square was resized to it; the network "
            "has seen only small photographs of one object",
            num_resized, len(paths),
        )  # fmt: skip
    return Images(torch.stack(pictures), [path.name for path in paths])


def _read(path: Path) -> tuple[Tensor, bool]:
    """Return one picture, (3, 32, 32), uint8, and whether it had another size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities in metadata, which are not shown anyway
        with Image.open(path, formats=("PNG", "JPEG")) as opened:
            size = opened.size
            if opened.mode not in _MODES:
                raise ValueError(f"its pixels are of mode {opened.mode}, not of 8 bits a channel")
            if size[0] * size[1] > _MAX_PIXELS:
                raise ValueError(f"it has more than {_MAX_PIXELS} pixels")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    if size != (_SIDE, _SIDE):
        picture = ImageOps.fit(picture, (_SIDE, _SIDE), method=Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
    return pixels, size != (_SIDE, _SIDE)
