"""The trainable function: a generator that trains one epoch and yields its result."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seresnet import ema
from seresnet.augment import NUM_DRAWS, augment, mixup
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.device import place, resolve_precision
from seresnet.draws import beta, derive_seed, permutation, uniform
from seresnet.epoch import EpochResult
from seresnet.model import SEResNet
from seresnet.predict import predict
from seresnet.schedule import lr_factor

# Streams of random numbers: each use has its own, so that a new one leaves the others alone.
_ORDER, _AUGMENT, _MIXUP, _PARTNERS, _DROPOUT = range(5)
_CHECK_EVERY = 50  # steps between two looks at the device's flag: a look waits for the device


class DivergedError(ArithmeticError):
    """The loss became infinite or not a number: nothing can be learned from here on."""

    def __init__(self, epoch: int, where: str) -> None:
        super().__init__(epoch, where)
        self.epoch = epoch
        self.where = where

    def __str__(self) -> str:
        return f"diverged in epoch {self.epoch}: {self.where}"


@dataclass(slots=True)
class TrainState:
    """All that changes while a run advances; what a checkpoint holds.

    No random generator is among it: every draw is a function of (seed, epoch, sample) or of
    (seed, epoch, step).
    """

    config: TrainConfig
    device: torch.device
    dtype: torch.dtype
    model: SEResNet
    average: nn.Module
    optimizer: torch.optim.Optimizer
    history: list[EpochResult] = field(default_factory=list)

    @classmethod
    def create(cls, config: TrainConfig, device: torch.device) -> Self:
        """Return the state before the first epoch; the weights are a function of the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = place(SEResNet(channels=config.channels), device)
        optimizer = torch.optim.SGD(
            model.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )
        dtype = resolve_precision(config.precision, device)
        return cls(config, device, dtype, model, ema.averaged_copy(model), optimizer)

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)


def train(state: TrainState, train_data: Split, val_data: Split | None) -> Iterator[EpochResult]:
    """Train to the end of the schedule, one epoch an item; the state advances in place.

    To stop is to stop iterating; to checkpoint is to save the state between two items; a state
    that was loaded goes on where it was, with the same numbers as one that never stopped (on a CPU
    bit for bit).

    Args:
        state: from `TrainState.create` or a checkpoint.
        train_data: at least 2 images.
        val_data: evaluated after each epoch; none where all labelled images are trained on.

    Raises:
        DivergedError: within 50 steps of the first loss that is not finite.
    """
    train_data = _on_device(train_data, state.device)
    val_data = None if val_data is None else _on_device(val_data, state.device)
    while state.epoch < state.config.epochs:
        started = time.monotonic()
        train_loss, lr = _train_epoch(state, train_data)
        trained = time.monotonic()
        val_loss, val_accuracy, val_accuracy_raw = _validate(state, val_data)
        ended = time.monotonic()
        result = EpochResult(
            epoch=state.epoch + 1,
            train_loss=train_loss,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            val_accuracy_raw=val_accuracy_raw,
            lr=lr,
            seconds=ended - started,
            images_per_second=len(train_data) / max(trained - started, 1e-9),
        )
        state.history.append(result)
        yield result


def _on_device(split: Split, device: torch.device) -> Split:
    return Split(split.images.to(device), split.labels.to(device))


def mixup_alpha_at(config: TrainConfig, epoch: int) -> float:
    """Return mixup's alpha in an epoch (from 0): from its start down to its floor."""
    floor = min(config.mixup_alpha_end, config.mixup_alpha)
    return max(floor, config.mixup_alpha * (1 - epoch / config.epochs))


def _train_epoch(state: TrainState, data: Split) -> tuple[float, float]:
    """Train one epoch; return its mean loss and its learning rate."""
    config, device, epoch = state.config, state.device, state.epoch
    lr = config.lr * lr_factor(
        epoch,
        warmup_epochs=config.warmup_epochs,
        epochs=config.epochs,
        end_factor=config.lr_end_factor,
    )
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    order = permutation(derive_seed(config.seed, _ORDER, epoch), len(data), device)
    draws = uniform(derive_seed(config.seed, _AUGMENT, epoch), order, NUM_DRAWS)
    batches = list(zip(order.split(config.batch_size), draws.split(config.batch_size), strict=True))
    alpha = mixup_alpha_at(config, epoch)
    mixup_key = derive_seed(config.seed, _MIXUP, epoch)
    lams = torch.tensor([beta(mixup_key, step, alpha) for step in range(len(batches))]).to(device)

    state.model.train()
    loss_sum = torch.zeros((), device=device)
    first_bad = torch.full((), -1, device=device)  # step of the first loss that is not finite
    for step, (indices, batch_draws) in enumerate(batches):
        images = augment(data.images[indices], batch_draws, config)
        loss = _step(state, images, data.labels[indices], lams[step], step, len(batches))
        loss_sum += loss * len(indices)
        first_bad = torch.where(torch.isfinite(loss) | (first_bad >= 0), first_bad, step)
        if step % _CHECK_EVERY == _CHECK_EVERY - 1 or step == len(batches) - 1:
            bad_step = int(first_bad)
            if bad_step >= 0:
                raise DivergedError(
                    epoch + 1, f"loss not finite at step {bad_step + 1} of {len(batches)}"
                )
    return float(loss_sum) / len(data), lr


def _step(
    state: TrainState, images: Tensor, labels: Tensor, lam: Tensor, step: int, num_steps: int
) -> Tensor:
    """Take one optimiser step on augmented images; return the loss, detached, on the device."""
    config, epoch = state.config, state.epoch
    partners = None
    if config.mixup_alpha > 0:
        key = derive_seed(config.seed, _PARTNERS, epoch, step)
        partners = permutation(key, len(labels), images.device)
        images = mixup(images, partners_N=partners, lam=lam)
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=state.dtype == torch.bfloat16):
        logits = state.model(images, _dropout_mask(config, epoch, step, labels))
    smoothing = config.label_smoothing
    loss = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
    if partners is not None:
        other = F.cross_entropy(logits.float(), labels[partners], label_smoothing=smoothing)
        loss = lam * loss + (1 - lam) * other
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.optimizer.step()
    decay = ema.decay_at(epoch * num_steps + step, decay=config.ema_decay)
    ema.update(state.average, state.model, decay=decay)
    return loss.detach()


def _dropout_mask(config: TrainConfig, epoch: int, step: int, labels: Tensor) -> Tensor | None:
    """Return (n, last width): 0 where a feature is dropped, else 1 / (1 - p); none if p is 0."""
    if config.dropout == 0:
        return None
    key = derive_seed(config.seed, _DROPOUT, epoch, step)
    positions = torch.arange(len(labels), device=labels.device)
    kept = uniform(key, positions, config.channels[-1]) >= config.dropout
    return kept.float() / (1 - config.dropout)


def _validate(
    state: TrainState, data: Split | None
) -> tuple[float | None, float | None, float | None]:
    """Return the averaged weights' loss and accuracy, and the raw weights' accuracy."""
    if data is None:
        return None, None, None
    val_loss, val_accuracy = evaluate(state.average, data, state)
    _, val_accuracy_raw = evaluate(state.model, data, state)
    if not math.isfinite(val_loss):
        raise DivergedError(state.epoch + 1, "validation loss not finite")
    return val_loss, val_accuracy, val_accuracy_raw


def evaluate(model: nn.Module, data: Split, state: TrainState) -> tuple[float, float]:
    """Return (mean cross-entropy in nats, accuracy in [0, 1]): no smoothing, mixup or dropout."""
    logits = predict(model, data.images, config=state.config, dtype=state.dtype)
    labels = data.labels.to(logits.device)
    loss = F.cross_entropy(logits, labels)
    accuracy = (logits.argmax(dim=1) == labels).double().mean()
    return float(loss), float(accuracy)
