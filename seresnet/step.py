"""One step of training: augment, blend, forward, backward, update, average.

All that a step reads and writes lies on the device at addresses that never change, and nothing is
read back to the host: the same code runs eagerly and inside a CUDA graph.

Shape letters: N images of the batch, K classes.
"""

import logging
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seresnet.augment import augment, mixup
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.model import SEResNet
from seresnet.plan import Plan
from seresnet.weights import Learned, low_precision, parameters, views

_log = logging.getLogger(__name__)


class Stepper:
    """Takes the steps of an epoch over tensors of its own.

    Args:
        config: all of it but `plan.SETTINGS` is built in.
        dtype: of the forward pass, float32 or bfloat16.
        learned: is advanced.
        data: trained on; on the same device.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        dtype: torch.dtype,
        learned: Learned,
        data: Split,
    ) -> None:
        weights, device = learned.weights, learned.weights.values.device
        self.learned = learned
        self.plan = Plan.create(config, len(data), device)
        self._config, self._data, self._dtype = config, data, dtype
        network: SEResNet = weights.model
        self._factors: Tensor | None = None
        if dtype != weights.values.dtype:
            network, self._factors = low_precision(weights, dtype)
        self._trained = parameters(network)
        self._gradient = torch.zeros_like(learned.momentum)
        rest = iter(views(self._gradient, [p for group in self._trained for p in group]))
        self._gradients = [[next(rest) for _ in group] for group in self._trained]
        self._trainable = network
        self._forward: Callable[..., Tensor] = network
        if config.compile and device.type == "cuda":
            self._forward = torch.compile(network)
        elif config.compile:
            _log.warning("compile: is off on a CPU, where it gains nothing")
        self._penalised = None if config.decay_norms else weights.factor_mask()
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._loss_sum = torch.zeros((), device=device)
        self._first_bad = torch.full((1,), -1, dtype=torch.int64, device=device)

    def begin(self, config: TrainConfig, epoch: int) -> float:
        """Make ready for an epoch (from 0) of a run; return its learning rate."""
        self.rewind()
        self._refresh_factors()
        self._trainable.train()
        return self.plan.fill(config, epoch)

    def rewind(self) -> None:
        """Go back to the first step of the tables."""
        self._step.zero_()
        self._loss_sum.zero_()
        self._first_bad.fill_(-1)

    def step(self, size: int) -> None:
        """Take the next step of the epoch, on so many images."""
        loss = self._loss(size)
        loss.backward()
        with torch.no_grad():
            self._update()
            self._note(loss, size)

    def loss_sum(self) -> float:
        """Return the sum of the images' losses since the epoch began; waits for the device."""
        return float(self._loss_sum)

    def first_bad(self) -> int | None:
        """Return the first step (from 0) whose loss was not finite; waits for the device."""
        step = int(self._first_bad)
        return None if step < 0 else step

    def _loss(self, size: int) -> Tensor:
        row = self.plan.row(self._step, size)
        images = augment(self._data.images[row.indices_N], row.draws_NK, self._config)
        images = mixup(images, partners_N=row.partners_N, lam=row.share_HW)
        images = images.to(self._dtype, memory_format=torch.channels_last)
        logits = self._forward(images, row.is_kept_NC * self.plan.dropout_scale)
        labels = self._data.labels[row.indices_N]
        return blended_cross_entropy(
            logits.to(self.learned.weights.values.dtype),
            labels,
            labels[row.partners_N],
            lam=row.lam,
            smoothing=self.plan.label_smoothing,
        )

    def _update(self) -> None:
        """Take a step of SGD with momentum and an L2 penalty, then move the averages.

        Source: as `torch.optim.SGD` without dampening, with `nesterov` or without it; Sutskever et
        al. 2013, "On the importance of initialization and momentum in deep learning", section 2.
        """
        for ours, theirs in zip(self._gradients, self._trained, strict=True):
            found = [parameter.grad for parameter in theirs if parameter.grad is not None]
            torch._foreach_copy_(ours, found)
            for parameter in theirs:
                parameter.grad = None
        weights, momentum, plan = self.learned.weights, self.learned.momentum, self.plan
        penalty = plan.weight_decay
        if self._penalised is not None:
            penalty = self._penalised * penalty
        self._gradient.addcmul_(weights.trained, penalty)
        direction = momentum.mul_(plan.momentum).add_(self._gradient)
        if self._config.nesterov:
            direction = self._gradient.addcmul_(momentum, plan.momentum)
        weights.trained.addcmul_(direction, plan.step_scale)
        decay = plan.decay_S.index_select(0, self._step)
        share = (1 - decay).to(weights.values.dtype)
        self.learned.averages.values.lerp_(weights.values, share)
        self._refresh_factors()

    def _refresh_factors(self) -> None:
        if self._factors is not None:
            weights = self.learned.weights
            self._factors.copy_(weights.values[: weights.num_multiplied])

    def _note(self, loss: Tensor, size: int) -> None:
        self._loss_sum.add_(loss, alpha=size)
        is_bad = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad.copy_(torch.where(is_bad, self._step, self._first_bad))
        self._step.add_(1)


def blended_cross_entropy(
    logits_NK: Tensor, labels_N: Tensor, others_N: Tensor, *, lam: Tensor, smoothing: Tensor
) -> Tensor:
    """Return the mean cross-entropy of mixup with label smoothing, in nats.

    An image's target is lam of its label and 1 - lam of its partner's, less the share `smoothing`,
    which is spread evenly over the classes.

    Args:
        logits_NK: (n, 10), float32.
        labels_N: (n,), int64.
        others_N: (n,), int64, the partners' labels.
        lam: without dimensions, in [0, 1].
        smoothing: without dimensions, in [0, 1).

    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, section 2; Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567, section 7.
    """
    log_NK = F.log_softmax(logits_NK, dim=1)
    both_N2 = log_NK.gather(1, torch.stack((labels_N, others_N), dim=1))
    target_N = torch.lerp(both_N2[:, 1], both_N2[:, 0], lam.to(log_NK.dtype))
    return -torch.lerp(target_N, log_NK.mean(1), smoothing.to(log_NK.dtype)).mean()
