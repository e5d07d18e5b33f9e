"""Several trainings of one shape in one program: a prototype, to find out whether it pays.

The networks lie side by side as groups of one wide network: channels (K x C), convolutions with K
groups. Weights, averages and momenta have a leading axis of K slots; each slot has its own tables,
so its own settings, seed and epoch. A slot whose training ends takes up another in place.

Shape letters as in `seresnet`, and K slots, P numbers of a network.

Source: HFTA, Wang et al. 2021, https://arxiv.org/abs/2102.02344, section 3; written anew.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seresnet.augment import augment, mixup
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.model import BasicBlock, SEResNet
from seresnet.plan import Plan
from seresnet.weights import Learned, parameters, views


class FusedStepper:
    """Takes a step of K trainings at once, each as `seresnet.step.Stepper` would take it alone.

    Args:
        config: as the stepper's.
        learned: one a slot; copied.
        dtype: of the forward pass.
        data: that all of them train on.
    """

    def __init__(
        self, config: TrainConfig, learned: Sequence[Learned], *, dtype: torch.dtype, data: Split
    ) -> None:
        first, K = learned[0].weights, len(learned)
        device = first.values.device
        self._config, self._data, self._dtype, self._num = config, data, dtype, K
        self._num_trained = first.num_trained
        self.plans = [Plan.create(config, len(data), device) for _ in learned]
        self._values_KP = torch.stack([each.weights.values for each in learned])
        self._averages_KP = torch.stack([each.averages.values for each in learned])
        self._momentum_KP = torch.stack([each.momentum for each in learned])
        self._gradient_KP = torch.zeros_like(self._momentum_KP)
        self._model: SEResNet = first.model
        multiplied, norms = parameters(first.model)
        trained: list[Tensor] = [*multiplied, *norms]
        everything = [*trained, *first.model.buffers()]
        # What the wide network computes with: for each tensor the K slots' behind each other.
        self._wide = {
            id(t): self._widened(t, is_cast=k < len(multiplied)) for k, t in enumerate(everything)
        }
        self._leaves = [self._wide[id(t)] for t in trained]
        self._statistics = [self._wide[id(t)] for t in first.model.buffers()]
        for leaf in self._leaves:
            leaf.requires_grad_(True)
        self._sources = [views(row, everything) for row in self._values_KP]
        self._gradients = [views(row, trained) for row in self._gradient_KP]
        self._steps_K = torch.zeros(K, dtype=torch.int64, device=device)
        self.loss_sums_K = torch.zeros(K, dtype=first.values.dtype, device=device)

    def _widened(self, tensor: Tensor, *, is_cast: bool) -> Tensor:
        wide = torch.stack([tensor.detach()] * self._num).flatten(0, 1)
        if wide.dim() == 4:
            wide = wide.contiguous(memory_format=torch.channels_last)
        return wide.to(self._dtype) if is_cast else wide

    def begin(self, slot: int, config: TrainConfig, epoch: int) -> None:
        """Make a slot ready for an epoch (from 0) of its training."""
        self.plans[slot].fill(config, epoch)
        self._steps_K[slot] = 0
        self.loss_sums_K[slot] = 0
        self._refresh()

    def rewind(self) -> None:
        """Go back to the first step of every slot's tables."""
        self._steps_K.zero_()

    def load(self, slot: int, learned: Learned) -> None:
        """Let a slot take up a training."""
        self._values_KP[slot].copy_(learned.weights.values)
        self._averages_KP[slot].copy_(learned.averages.values)
        self._momentum_KP[slot].copy_(learned.momentum)

    def store(self, slot: int, learned: Learned) -> None:
        """Copy what a slot's training has learned."""
        learned.weights.values.copy_(self._values_KP[slot])
        learned.averages.values.copy_(self._averages_KP[slot])
        learned.momentum.copy_(self._momentum_KP[slot])

    def step(self, size: int) -> None:
        """Take the next step of every slot's epoch, each on so many images."""
        losses_K = self._losses(size)
        gradients = torch.autograd.grad(losses_K.sum(), self._leaves)
        with torch.no_grad():
            self._update(gradients)
            self.loss_sums_K.add_(losses_K.detach(), alpha=size)
            self._steps_K.add_(1)

    def _losses(self, size: int) -> Tensor:
        rows = [p.row(s, size) for p, s in zip(self.plans, self._steps_K.split(1), strict=True)]
        images, labels, others, lams = [], [], [], []
        for row in rows:
            each = augment(self._data.images[row.indices_N], row.draws_NK, self._config)
            images.append(mixup(each, partners_N=row.partners_N, lam=row.lam))
            labels.append(self._data.labels[row.indices_N])
            others.append(labels[-1][row.partners_N])
            lams.append(row.lam)
        wide = torch.cat(images, dim=1).to(self._dtype, memory_format=torch.channels_last)
        masks_NKC = torch.stack([r.is_kept_NC for r in rows], dim=1) * self._setting(4)
        logits_NKL = self._forward(wide, masks_NKC).to(self._values_KP.dtype)
        log_NKL = F.log_softmax(logits_NKL, dim=2)
        both = torch.stack([torch.stack(labels, 1), torch.stack(others, 1)], dim=2)
        picked_NK2 = log_NKL.gather(2, both)
        target_NK = torch.lerp(
            picked_NK2[..., 1], picked_NK2[..., 0], torch.stack(lams).to(log_NKL.dtype)
        )
        return -torch.lerp(target_NK, log_NKL.mean(2), self._setting(3)[:, 0]).mean(0)

    def _setting(self, index: int) -> Tensor:
        """Return (K, 1): one of the plans' settings."""
        settings = torch.stack([plan.settings[index] for plan in self.plans])
        return settings[:, None].to(self._values_KP.dtype)

    def _update(self, gradients: Sequence[Tensor]) -> None:
        K, values_KP = self._num, self._values_KP[:, : self._num_trained]
        parts = [gradient.unflatten(0, (K, -1)) for gradient in gradients]
        for slot, ours in enumerate(self._gradients):
            torch._foreach_copy_(ours, [part[slot] for part in parts])
        for slot, source in enumerate(self._sources):  # the forward pass has moved the statistics
            wide = [each.unflatten(0, (K, -1))[slot] for each in self._statistics]
            torch._foreach_copy_(source[len(self._leaves) :], wide)
        self._gradient_KP.addcmul_(values_KP, self._setting(2))
        self._momentum_KP.mul_(self._setting(1)).add_(self._gradient_KP)
        values_KP.addcmul_(self._momentum_KP, self._setting(0))
        decays = [p.decay_S[s] for p, s in zip(self.plans, self._steps_K.split(1), strict=True)]
        self._averages_KP.lerp_(
            self._values_KP, (1 - torch.stack(decays)).to(self._values_KP.dtype)
        )
        self._refresh()

    @torch.no_grad()
    def _refresh(self) -> None:
        """Let the wide network compute with the slots' present numbers."""
        wide = [
            each.detach().unflatten(0, (self._num, -1))
            for each in (*self._leaves, *self._statistics)
        ]
        for slot, source in enumerate(self._sources):
            torch._foreach_copy_([each[slot] for each in wide], source)

    def _forward(self, images: Tensor, masks_NKC: Tensor) -> Tensor:
        stem, model = self._model.stem, self._model
        hidden = F.relu(self._norm(self._convolve(images, stem[0]), stem[1]))
        for block in model.stages:
            hidden = self._block(hidden, block)
        pooled_NKC = hidden.mean(dim=(2, 3)).unflatten(1, (self._num, -1))
        pooled_NKC = (pooled_NKC * masks_NKC).to(pooled_NKC.dtype)
        bias = self._wide[id(model.classifier.bias)].unflatten(0, (self._num, -1))
        return self._linear(pooled_NKC, model.classifier) + bias

    def _block(self, features: Tensor, block: BasicBlock) -> Tensor:
        hidden = F.relu(self._norm(self._convolve(features, block.conv1), block.bn1))
        hidden = self._norm(self._convolve(hidden, block.conv2), block.bn2)
        if not isinstance(block.attention, nn.Identity):
            pooled_NKC = hidden.mean(dim=(2, 3)).unflatten(1, (self._num, -1))
            squeezed = F.relu(self._linear(pooled_NKC, block.attention.squeeze))
            weights = torch.sigmoid(self._linear(squeezed, block.attention.excite))
            hidden = hidden * weights.flatten(1)[:, :, None, None]
        if not isinstance(block.shortcut, nn.Identity):
            features = self._norm(self._convolve(features, block.shortcut[0]), block.shortcut[1])
        return F.relu(hidden + features)

    def _convolve(self, features: Tensor, layer: nn.Conv2d) -> Tensor:
        bias = None if layer.bias is None else self._wide[id(layer.bias)]
        weight = self._wide[id(layer.weight)]
        return F.conv2d(features, weight, bias, layer.stride, layer.padding, groups=self._num)

    def _norm(self, features: Tensor, layer: nn.BatchNorm2d) -> Tensor:
        wide = [
            self._wide[id(t)]
            for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        ]
        return F.batch_norm(features, *wide, training=True, momentum=layer.momentum, eps=layer.eps)

    def _linear(self, features_NKC: Tensor, layer: nn.Linear) -> Tensor:
        weight_KLC = self._wide[id(layer.weight)].unflatten(0, (self._num, -1))
        return torch.einsum("nkc,klc->nkl", features_NKC, weight_KLC)
