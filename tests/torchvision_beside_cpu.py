"""torchvision's transforms for tests: beside a CPU-only torch two of its operators are missing."""

import importlib

import torch

_libraries = []  # a torch.library.Library takes its operators with it when it is collected


def load(name):
    """Import a module of torchvision, its missing operators declared."""
    try:
        return importlib.import_module(name)
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
        return importlib.import_module(name)


def autoaugment():
    """Return `torchvision.transforms.autoaugment`."""
    return load("torchvision.transforms.autoaugment")
