"""A network's numbers in one vector: updated, averaged, copied and checked in one operation each.

The network's own tensors are views of the vector, so whoever reads or writes either sees the other.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from seresnet.device import place
from seresnet.model import SEResNet

# Views begin at multiples of so many numbers: 128 bytes in bfloat16, 256 in float32. A GPU's
# convolutions fall back to slower kernels where a weight does not begin at a multiple of 16 bytes.
_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Weights:
    """A network and the vector that its parameters and running statistics are views of.

    The vector holds first the weights of convolutions and linear layers, then those of the norms,
    then the norms' running statistics; zeros fill the gaps between the views.
    """

    model: SEResNet
    values: Tensor
    """(n,), float32; tests of exactness use float64."""
    num_multiplied: int
    """So many at the front are the factors of matrix products, which are computed in bfloat16."""
    num_trained: int
    """So many at the front are parameters; the rest is running statistics."""

    @classmethod
    def of(cls, model: SEResNet) -> Self:
        """Return a network's weights; its tensors become views, with their values and layout."""
        multiplied, norms = parameters(model)
        groups: list[list[Tensor]] = [[*multiplied], [*norms], [*model.buffers()]]
        sizes = [sum(_room(tensor) for tensor in group) for group in groups]
        tensors = [tensor for group in groups for tensor in group]
        values = tensors[0].new_zeros(sum(sizes))
        for tensor, view in zip(tensors, views(values, tensors), strict=True):
            view.copy_(tensor.detach())
            tensor.data = view
        return cls(model, values, sizes[0], sizes[0] + sizes[1])

    @classmethod
    def create(cls, channels: tuple[int, int, int, int], device: torch.device) -> Self:
        """Return the weights of a new network; PyTorch's random generator draws them."""
        return cls.of(place(SEResNet(channels=channels), device))

    def averaged(self) -> "Weights":
        """Return a copy in which averages may be gathered; it is never trained."""
        average = copy.deepcopy(self.model).eval()
        average.requires_grad_(False)
        return Weights.of(average)

    def factor_mask(self) -> Tensor:
        """Return 1 where a parameter is the factor of a product, 0 at norms and biases.

        (num_trained,), of the parameters' dtype.
        """
        mask = torch.zeros_like(self.trained)
        trained = [parameter for group in parameters(self.model) for parameter in group]
        for parameter, view in zip(trained, views(mask, trained), strict=True):
            view.fill_(parameter.dim() > 1)
        return mask

    @property
    def trained(self) -> Tensor:
        """(num_trained,): the parameters."""
        return self.values[: self.num_trained]


@dataclass(frozen=True, slots=True)
class Learned:
    """All numbers that a step of training advances."""

    weights: Weights
    averages: Weights
    momentum: Tensor
    """(num_trained,), float32, laid out as the parameters are in `weights`."""

    @classmethod
    def create(cls, channels: tuple[int, int, int, int], device: torch.device) -> Self:
        """Return what a run has learned before its first step."""
        weights = Weights.create(channels, device)
        return cls(weights, weights.averaged(), torch.zeros_like(weights.trained))

    def named_momentum(self) -> dict[str, Tensor]:
        """Return views of the momentum by the names of the parameters they belong to."""
        model = self.weights.model
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        trained = [parameter for group in parameters(model) for parameter in group]
        found = views(self.momentum, trained)
        return {names[id(p)]: view for p, view in zip(trained, found, strict=True)}

    def is_finite(self) -> bool:
        """Return whether no weight, average or statistic is infinite or not a number."""
        vectors = (self.weights.values, self.averages.values)
        return all(bool(torch.isfinite(values).all()) for values in vectors)

    def copy_(self, other: "Learned") -> None:
        """Take over another run's numbers, of the same channels."""
        self.weights.values.copy_(other.weights.values)
        self.averages.values.copy_(other.averages.values)
        self.momentum.copy_(other.momentum)


def parameters(model: SEResNet) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return a network's parameters: of convolutions and linear layers, and of norms.

    In the order in which a vector holds them.
    """
    multiplied: list[nn.Parameter] = []
    norms: list[nn.Parameter] = []
    for module in model.modules():
        group = norms if isinstance(module, nn.BatchNorm2d) else multiplied
        group.extend(module.parameters(recurse=False))
    return multiplied, norms


def views(values: Tensor, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return views of a vector with the shapes and strides of some dense tensors, in turn."""
    found, offset = [], values.storage_offset()
    for tensor in tensors:
        found.append(values.as_strided(tensor.shape, tensor.stride(), offset))
        offset += _room(tensor)
    return found


def low_precision(weights: Weights, dtype: torch.dtype) -> tuple[SEResNet, Tensor]:
    """Return a network that multiplies in another dtype, and the vector of its factors.

    Its norms are the very ones of `weights`; its factors follow those of `weights` when the vector
    is copied anew: one operation, where autocast casts each of them in each step.
    """
    model = copy.deepcopy(weights.model)
    theirs, _ = parameters(weights.model)
    ours, _ = parameters(model)
    values = weights.values[: weights.num_multiplied].to(dtype)
    for tensor, view in zip(ours, views(values, theirs), strict=True):
        tensor.data = view
    norms = dict(weights.model.named_modules())
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, norms[name])
    return model, values


def _room(tensor: Tensor) -> int:
    """Return how many numbers a tensor takes in a vector, up to the next one's beginning."""
    return -(-tensor.numel() // _ALIGNMENT) * _ALIGNMENT
