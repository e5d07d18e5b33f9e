"""The trainable function: a generator that trains one epoch and yields its result."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn

from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.device import resolve_precision
from seresnet.epoch import EpochResult
from seresnet.graph import borrowed, shared_stepper
from seresnet.model import SEResNet
from seresnet.predict import predict
from seresnet.resident import resident
from seresnet.step import Stepper
from seresnet.weights import Learned

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
    learned: Learned
    history: list[EpochResult] = field(default_factory=list)

    @classmethod
    def create(cls, config: TrainConfig, device: torch.device) -> Self:
        """Return the state before the first epoch; the weights are a function of the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            learned = Learned.create(config.channels, device)
        return cls(config, device, resolve_precision(config.precision, device), learned)

    @property
    def model(self) -> SEResNet:
        """The network that is trained."""
        return self.learned.weights.model

    @property
    def average(self) -> SEResNet:
        """The network of the averaged weights."""
        return self.learned.averages.model

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
        train_data: at least 2 images; read only, so that others may share their memory.
        val_data: evaluated after each epoch; none where all labelled images are trained on.

    Raises:
        DivergedError: within 50 steps of the first loss that is not finite.
    """
    train_data = resident(train_data, state.device)
    val_data = None if val_data is None else resident(val_data, state.device)
    stepper = _stepper(state, train_data)
    while state.epoch < state.config.epochs:
        started = time.monotonic()
        train_loss, lr = _train_epoch(state, stepper)
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


def _stepper(state: TrainState, data: Split) -> Stepper:
    if state.device.type == "cuda":
        return shared_stepper(state.config, device=state.device, dtype=state.dtype, data=data)
    return Stepper(state.config, dtype=state.dtype, learned=state.learned, data=data)


def _train_epoch(state: TrainState, stepper: Stepper) -> tuple[float, float]:
    """Train one epoch; return its mean loss and its learning rate."""
    epoch, sizes = state.epoch, stepper.plan.sizes
    with borrowed(stepper, state.learned):
        lr = stepper.begin(state.config, epoch)
        for step, size in enumerate(sizes):
            stepper.step(size)
            if step % _CHECK_EVERY == _CHECK_EVERY - 1 or step == len(sizes) - 1:
                bad_step = stepper.first_bad()
                if bad_step is not None:
                    where = f"loss not finite at step {bad_step + 1} of {len(sizes)}"
                    raise DivergedError(epoch + 1, where)
        return stepper.loss_sum() / sum(sizes), lr


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
