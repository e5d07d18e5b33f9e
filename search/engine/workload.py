"""A trial's training as something to be timed: real but for its images, which are random."""

from dataclasses import replace

import torch

from search.study.space import StudyConfig
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.epoch import EpochResult
from seresnet.train import TrainState, train

_ENDLESS = 100_000  # epochs; more than any measurement holds


class Training:
    """A training whose epochs are as short as its images are few.

    Args:
        config: of the training.
        num_train: images of an epoch.
        num_val: images it is judged by.
        num_held: images of the real study, for which the device must have room.
        device: where it trains.
    """

    def __init__(
        self,
        config: TrainConfig,
        num_train: int,
        num_val: int,
        num_held: int,
        device: torch.device,
    ) -> None:
        self._device = device
        self.state = TrainState.create(config, device)
        self._num_train = num_train
        self._epochs = train(self.state, _random(num_train, seed=0), _random(num_val, seed=1))
        spare = max(0, num_held - num_train - num_val)
        self._room = torch.empty((spare, 3, 32, 32), dtype=torch.uint8, device=device)

    def train_epoch(self) -> EpochResult:
        """Train an epoch; return what it took."""
        return next(self._epochs)

    def epoch(self) -> int:
        """Train an epoch; return its images."""
        self.train_epoch()
        return self._num_train

    def memory(self) -> tuple[float, float]:
        """Return GiB in use and GiB in all; nothing on a CPU."""
        if self._device.type != "cuda":
            return 0.0, 0.0
        free, total = torch.cuda.mem_get_info(self._device)
        return (total - free) / 2**30, total / 2**30


def shape_config(study: StudyConfig) -> TrainConfig:
    """Return the settings of a training that takes as long as the study's trials: its baseline's.

    At the study's learning rate the loss might diverge: labels are random too.
    """
    return replace(study.trial_config(study.baseline, epochs=_ENDLESS, seed=0), lr=1e-3)


def _random(num: int, *, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (num, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return Split(images, torch.randint(10, (num,), generator=generator))
