"""Exponential moving average of a network's weights and buffers, evaluated beside the raw ones."""

import copy

import torch
from torch import nn


def averaged_copy(model: nn.Module) -> nn.Module:
    """Return a copy of the model that holds the averages; it is never trained."""
    average = copy.deepcopy(model).eval()
    average.requires_grad_(False)
    return average


def decay_at(step: int, *, decay: float) -> float:
    """Return the decay after `step` optimiser steps (from 0): small at first, then `decay`.

    Without the ramp a short run would average in its random initial weights.
    """
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """Move the averages towards the model by 1 - decay; counters are copied.

    BatchNorm's running statistics are averaged too: they belong to the weights they were seen with.

    Source: Polyak and Juditsky 1992; Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780.
    """
    ours, theirs = list(average.state_dict().values()), list(model.state_dict().values())
    floats = [k for k, tensor in enumerate(ours) if tensor.is_floating_point()]
    torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
    for k, tensor in enumerate(ours):
        if not tensor.is_floating_point():
            tensor.copy_(theirs[k])
