"""All that one epoch draws and sets, in tables on the device: a row for each of its steps.

A step reads its row by a counter that lies on the device too, so steps differ in nothing that the
host would have to say. The tables keep their addresses from epoch to epoch and from run to run,
which a captured CUDA graph needs.

Shape letters: S steps of an epoch, N images of a step, K draws an image, C features.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from seresnet import ema
from seresnet.augment import NUM_DRAWS
from seresnet.config import TrainConfig
from seresnet.draws import beta, derive_seed, permutation, uniform
from seresnet.schedule import lr_factor

# Streams of random numbers: each use has its own, so that a new one leaves the others alone.
_ORDER, _AUGMENT, _MIXUP, _PARTNERS, _DROPOUT, _CUTMIX, _FLIP = range(7)
_FLIP_COLUMN = 10  # of the draws of `augment`
_SIDE = 32  # pixels
_CHUNK = 2**22  # numbers drawn at once for the dropout masks: 32 MB of 64-bit integers

SETTINGS = (
    "epochs", "seed", "lr", "lr_end_factor", "warmup_epochs", "momentum", "weight_decay",
    "label_smoothing", "dropout", "mixup_alpha", "mixup_alpha_end", "ema_decay", "alternating_flip",
)  # fmt: skip
"""The fields of `TrainConfig` that reach a step through these tables alone.

One captured step serves all runs that differ in nothing else.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one step of n images reads."""

    indices_N: Tensor
    draws_NK: Tensor
    partners_N: Tensor
    is_kept_NC: Tensor
    lam: Tensor
    share_HW: Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """The tables of an epoch; the last step may have fewer images, and leaves its row's end unused.

    All hyperparameters are tensors without dimensions: no step depends on a number of the host.
    """

    sizes: list[int]
    """Images of each step."""
    indices_SN: Tensor
    draws_SNK: Tensor
    partners_SN: Tensor
    is_kept_SNC: Tensor
    """Whether dropout keeps a feature; bool."""
    lam_S: Tensor
    """Share of an image's label in its blend."""
    share_SHW: Tensor
    """Share of an image in each of its pixels; (S, 1, 1) where CutMix is off."""
    decay_S: Tensor
    """Decay of the averaged weights."""
    settings: Tensor
    """(5,), in the order of the properties below."""

    @classmethod
    def create(cls, config: TrainConfig, num_images: int, device: torch.device) -> Self:
        """Return empty tables for a number of images; `fill` them for each epoch."""
        sizes = [config.batch_size] * (num_images // config.batch_size)
        sizes += [num_images % config.batch_size] * (num_images % config.batch_size > 0)
        S, N = len(sizes), sizes[0]

        def table(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(S, *shape, dtype=dtype, device=device)

        return cls(
            sizes=sizes,
            indices_SN=table(N, dtype=torch.int64),
            draws_SNK=table(N, NUM_DRAWS),
            partners_SN=table(N, dtype=torch.int64),
            is_kept_SNC=table(N, config.channels[-1], dtype=torch.bool),
            lam_S=table(),
            share_SHW=table(_SIDE, _SIDE) if config.cutmix_probability else table(1, 1),
            decay_S=table(),
            settings=torch.zeros(5, device=device),
        )

    @property
    def step_scale(self) -> Tensor:
        """The learning rate with its sign reversed: a step goes downhill."""
        return self.settings[0]

    @property
    def momentum(self) -> Tensor:
        """Momentum of SGD."""
        return self.settings[1]

    @property
    def weight_decay(self) -> Tensor:
        """L2 penalty."""
        return self.settings[2]

    @property
    def label_smoothing(self) -> Tensor:
        """Share of the target that is spread evenly."""
        return self.settings[3]

    @property
    def dropout_scale(self) -> Tensor:
        """1 / (1 - p), by which a feature that is kept grows."""
        return self.settings[4]

    def fill(self, config: TrainConfig, epoch: int) -> float:
        """Draw and set all that an epoch needs, in place.

        Args:
            config: of the run; agrees with the tables' in all but `SETTINGS`.
            epoch: from 0.

        Returns:
            The epoch's learning rate.
        """
        lr = config.lr * lr_factor(
            epoch,
            warmup_epochs=config.warmup_epochs,
            epochs=config.epochs,
            end_factor=config.lr_end_factor,
        )
        scale = 1 / (1 - config.dropout)
        self.settings.copy_(
            torch.tensor([-lr, config.momentum, config.weight_decay, config.label_smoothing, scale])
        )
        S, first = len(self.sizes), epoch * len(self.sizes)
        decays = [ema.decay_at(first + step, decay=config.ema_decay) for step in range(S)]
        self.decay_S.copy_(torch.tensor(decays))
        self._draw_images(config, epoch)
        self._draw_blends(config, epoch)
        self._draw_dropout(config, epoch)
        return lr

    def row(self, step: Tensor, size: int) -> Row:
        """Return what one step reads.

        Args:
            step: (1,), int64, on the device; from 0.
            size: images of the step.
        """
        tables = (self.indices_SN, self.draws_SNK, self.partners_SN, self.is_kept_SNC)
        indices, draws, partners, is_kept = (
            table.index_select(0, step)[0, :size] for table in tables
        )
        lam, share = (table.index_select(0, step)[0] for table in (self.lam_S, self.share_SHW))
        return Row(indices, draws, partners, is_kept, lam, share)

    def _draw_images(self, config: TrainConfig, epoch: int) -> None:
        """Draw the order of the images, and what is drawn for each of them."""
        num_images, device = sum(self.sizes), self.indices_SN.device
        order = permutation(derive_seed(config.seed, _ORDER, epoch), num_images, device)
        draws = uniform(derive_seed(config.seed, _AUGMENT, epoch), order, NUM_DRAWS)
        if config.alternating_flip:
            # Drawn once a run; half a turn on, a draw below 0.5 lies above it, and the other way.
            once = uniform(derive_seed(config.seed, _FLIP), order, 1)[:, 0]
            draws[:, _FLIP_COLUMN] = (once + epoch % 2 / 2) % 1
        self.indices_SN.view(-1)[:num_images].copy_(order)
        self.draws_SNK.view(-1, NUM_DRAWS)[:num_images].copy_(draws)

    def _draw_blends(self, config: TrainConfig, epoch: int) -> None:
        """Draw the shares and partners of mixup or CutMix; without both an image's share is 1."""
        alpha, key = mixup_alpha_at(config, epoch), derive_seed(config.seed, _MIXUP, epoch)
        steps, device = range(len(self.sizes)), self.indices_SN.device
        lam_S = torch.tensor([beta(key, step, alpha) for step in steps])
        share_SHW = lam_S[:, None, None].expand(self.share_SHW.shape)
        if config.cutmix_probability:
            lam_S, share_SHW = _with_cutmix(lam_S, share_SHW, config, epoch)
        self.lam_S.copy_(lam_S)
        self.share_SHW.copy_(share_SHW)
        keys = [derive_seed(config.seed, _PARTNERS, epoch, step) for step in steps]
        last = self.sizes[-1]
        self.partners_SN.copy_(permutation(keys, self.sizes[0], device))
        self.partners_SN[-1, :last].copy_(permutation(keys[-1], last, device))

    def _draw_dropout(self, config: TrainConfig, epoch: int) -> None:
        """Draw which features each image keeps."""
        S, N, C = self.is_kept_SNC.shape
        keys = [derive_seed(config.seed, _DROPOUT, epoch, step) for step in range(S)]
        positions = torch.arange(N, device=self.is_kept_SNC.device)
        num = max(1, _CHUNK // (N * C))
        for start in range(0, S, num):
            draws = uniform(keys[start : start + num], positions, C)
            torch.ge(draws, config.dropout, out=self.is_kept_SNC[start : start + num])


def mixup_alpha_at(config: TrainConfig, epoch: int) -> float:
    """Return mixup's alpha in an epoch (from 0): from its start down to its floor."""
    floor = min(config.mixup_alpha_end, config.mixup_alpha)
    return max(floor, config.mixup_alpha * (1 - epoch / config.epochs))


def _with_cutmix(
    lam_S: Tensor, share_SHW: Tensor, config: TrainConfig, epoch: int
) -> tuple[Tensor, Tensor]:
    """Return mixup's shares, replaced by CutMix's in the steps that are drawn for it.

    A box of the partner's pixels covers a uniform share of the image, less what of it lies outside;
    the label's share is that of the pixels that are left.

    Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, section 3.1, alpha 1.
    """
    S, H, W = share_SHW.shape
    key = derive_seed(config.seed, _CUTMIX, epoch)
    chosen, area, row, column = uniform(key, torch.arange(S), 4).unbind(1)
    half = (0.5 * area.sqrt() * H).floor()
    is_in_row = _is_within(half, (row * H).floor(), H)[:, :, None]
    is_in_column = _is_within(half, (column * W).floor(), W)[:, None, :]
    kept = 1.0 - (is_in_row & is_in_column).float()
    is_chosen = chosen < config.cutmix_probability
    lam_S = torch.where(is_chosen, kept.mean((1, 2)), lam_S)
    return lam_S, torch.where(is_chosen[:, None, None], kept, share_SHW)


def _is_within(half_S: Tensor, centre_S: Tensor, size: int) -> Tensor:
    """Return (S, size): whether a pixel lies in [centre - half, centre + half)."""
    # From pixel centres the half-open range is symmetrical.
    return (torch.arange(size) + 0.5 - centre_S[:, None]).abs() < half_S[:, None]
