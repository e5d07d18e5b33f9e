"""Images on the device they are trained on: copied to a GPU once a process, on a CPU not at all."""

import torch

from seresnet.data import Split

_copies: dict[tuple[object, ...], tuple[Split, Split]] = {}
_NUM_KEPT = 4  # parts of images: trials share two, a retraining has one or two of its own


def resident(split: Split, device: torch.device) -> Split:
    """Return a split's images and labels on a device.

    Runs of one process that name the same memory get the same copy: the next trial finds its images
    where the last one had them, and a captured step knows them by their address. What is returned
    is to be read only.

    Args:
        split: its tensors stay as they are while the process lives.
        device: to train on.
    """
    if split.images.device == device:
        return split
    tensors = (split.images, split.labels)
    key = (len(split), str(device), *((t.data_ptr(), t._version) for t in tensors))
    if key not in _copies:
        while len(_copies) >= _NUM_KEPT:
            del _copies[next(iter(_copies))]
        # The source is kept too: its memory must not be given to other images.
        _copies[key] = (split, Split(*(tensor.to(device) for tensor in tensors)))
    return _copies[key][1]
