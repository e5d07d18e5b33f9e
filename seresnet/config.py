"""One training run: every setting, its unit, its range and its one default (the seed recipe)."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Literal

_LATER = (
    "compile", "nesterov", "decay_norms", "alternating_flip", "trivial_augment",
    "cutmix_probability",
)  # fmt: skip
"""Fields that the first version did not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Settings of one training run; flat, so that a hyperparameter has one name everywhere.

    The defaults are the recipe of ZBW-P/Deep-learning-resnet (95.41% on CIFAR-10's test set).

    Raises:
        ValueError: one line `<field>: <rule>, got <value>` for each value out of range.
    """

    epochs: int = 250
    """Length of the whole schedule; epochs, >= 1."""
    batch_size: int = 128
    """Images in an optimiser step; the last batch of an epoch may be smaller; >= 2."""
    lr: float = 0.1
    """Peak learning rate, reached at the end of the warm-up; > 0."""
    lr_end_factor: float = 0.01
    """Learning rate at the end of the cosine, as a fraction of `lr`; [0, 1]."""
    warmup_epochs: int = 15
    """Linear warm-up before the cosine; epochs, [0, epochs)."""
    momentum: float = 0.9
    """Momentum of SGD; [0, 1)."""
    nesterov: bool = False
    """Whether a step looks ahead along the momentum; needs momentum > 0."""
    weight_decay: float = 5e-4
    """L2 penalty; >= 0."""
    decay_norms: bool = True
    """Whether the penalty falls on norms and biases too, or on the other weights alone."""
    label_smoothing: float = 0.08
    """Share of the target that is spread evenly over the classes; [0, 1)."""
    dropout: float = 0.2
    """Probability that a pooled feature is dropped before the last layer; [0, 1)."""
    mixup_alpha: float = 0.4
    """Parameter of mixup's Beta(alpha, alpha) in the first epoch; >= 0, 0 turns mixup off."""
    mixup_alpha_end: float = 0.1
    """Floor that alpha decays to: max(min(end, start), start * (1 - e / epochs)); >= 0."""
    cutmix_probability: float = 0.0
    """Share of the batches that CutMix blends in place of mixup; [0, 1], 0 is off."""
    flip_probability: float = 0.5
    """Probability of a horizontal flip; [0, 1]."""
    alternating_flip: bool = False
    """Whether an image is flipped in every other epoch; needs a flip_probability of 0.5."""
    trivial_augment: bool = False
    """Whether each image goes through one random operation of TrivialAugment after the flip."""
    crop_padding: int = 4
    """Zero pixels added on each side before a random crop back to 32x32; [0, 32]."""
    brightness: float = 0.2
    """Brightness factor is uniform in [1 - x, 1 + x]; [0, 1]."""
    contrast: float = 0.2
    """Contrast factor is uniform in [1 - x, 1 + x]; [0, 1]."""
    saturation: float = 0.2
    """Saturation factor is uniform in [1 - x, 1 + x]; [0, 1]."""
    hue: float = 0.05
    """Hue shift is uniform in [-x, x], as a fraction of the colour circle; [0, 0.5]."""
    cutout_size: int = 16
    """Side of the square hole, clipped at the border; pixels, [0, 32], 0 is off."""
    mean: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    """Mean of each channel, subtracted from pixels in [0, 1]."""
    std: tuple[float, float, float] = (0.35, 0.35, 0.35)
    """Divisor of each channel; > 0. The seed recipe's, wider than the true 0.247, 0.244, 0.262."""
    channels: tuple[int, int, int, int] = (32, 64, 128, 256)
    """Width of the four stages; >= 8. The defaults make 2,818,122 parameters."""
    ema_decay: float = 0.998
    """Decay of the averaged weights per step, less in the first steps; [0, 1), 0 is off."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Arithmetic of the forward pass: auto is bf16 where the hardware computes in it, else fp32."""
    compile: bool = False
    """Whether torch.compile fuses operations, on CUDA; on a CPU it gains nothing and is off."""
    seed: int = 0
    """Source of all randomness of the run; [0, 2**63)."""

    def __post_init__(self) -> None:
        problems = [*self._range_problems(), *self._relation_problems()]
        if problems:
            raise ValueError("\n".join(problems))

    def _range_problems(self) -> list[str]:
        """Return a line for each field outside its range."""
        at_least = {
            "epochs": 1,
            "batch_size": 2,
            "weight_decay": 0.0,
            "mixup_alpha": 0.0,
            "mixup_alpha_end": 0.0,
        }
        below_one = ("momentum", "label_smoothing", "dropout", "ema_decay")
        up_to = {
            "lr_end_factor": 1, "cutmix_probability": 1, "flip_probability": 1, "brightness": 1,
            "contrast": 1, "saturation": 1, "hue": 0.5, "crop_padding": 32, "cutout_size": 32,
        }  # fmt: skip
        rules: list[tuple[str, bool, str]] = []
        for name, low in at_least.items():
            rules.append((name, getattr(self, name) >= low, f">= {low:g}"))
        for name in below_one:
            rules.append((name, 0 <= getattr(self, name) < 1, "in [0, 1)"))
        for name, high in up_to.items():
            rules.append((name, 0 <= getattr(self, name) <= high, f"in [0, {high:g}]"))
        rules.append(("lr", self.lr > 0, "> 0"))
        rules.append(("seed", 0 <= self.seed < 2**63, "in [0, 2**63)"))
        rules.append(("std", min(self.std) > 0, "> 0 in each channel"))
        # With 4 channels, oneDNN's gradient of a 1x1 convolution hangs or crashes on AVX2 (seen
        # with torch 2.13, float32, channels last: uxlfoundation/oneDNN#6035); with 8 it is sound.
        rules.append(("channels", min(self.channels) >= 8, ">= 8 in each stage"))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            finite = all(math.isfinite(x) for x in numbers if isinstance(x, float))
            rules.append((field.name, finite, "finite"))
        rules.append(
            ("precision", self.precision in ("auto", "bf16", "fp32"), "auto, bf16 or fp32")
        )
        return [
            f"{name}: must be {rule}, got {getattr(self, name)}"
            for name, ok, rule in rules
            if not ok
        ]

    def _relation_problems(self) -> list[str]:
        """Return a line for each pair of fields that do not fit together."""
        warmup, flip, rules = self.warmup_epochs, self.flip_probability, []
        if warmup < 0:
            rules.append(f"warmup_epochs: must be >= 0, got {warmup}")
        elif warmup >= self.epochs >= 1:
            rules.append(f"warmup_epochs: must be < epochs ({self.epochs}), got {warmup}")
        if self.alternating_flip and flip != 0.5:
            rules.append(
                f"flip_probability: must be 0.5 where alternating_flip is true, got {flip}"
            )
        if self.nesterov and self.momentum == 0:
            rules.append("momentum: must be > 0 where nesterov is true, got 0")
        return rules

    def fingerprint(self) -> str:
        """Return the SHA-256 of the settings as sorted JSON: the same in any process.

        A field that came later counts only where it is not at its default: what was made before it
        is still known.
        """
        # 1 and 1.0 are equal settings, but not equal JSON
        values = {
            field.name: _as_floats(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in _LATER or getattr(self, field.name) != field.default
        }
        text = json.dumps(values, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _as_floats(value: object) -> object:
    """Return numbers as floats, alone or in a tuple; text as it is."""
    if isinstance(value, tuple):
        return [_as_floats(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) < 2**53 else value
