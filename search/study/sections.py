"""The sections of a study file, each with its units, ranges and defaults."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from search.study.overrides import Scalar


def refuse(*rules: tuple[bool, str]) -> None:
    """Raise one ValueError with the line of each rule that is broken.

    Args:
        rules: whether it is broken, and `<key>: <rule>, got <value>`.
    """
    lines = [line for is_broken, line in rules if is_broken]
    if lines:
        raise ValueError("\n".join(lines))


def _at_least(section: object, bounds: Mapping[str, int]) -> Iterator[tuple[bool, str]]:
    """Yield a rule for each field that has a smallest value."""
    for name, low in bounds.items():
        value = getattr(section, name)
        yield value < low, f"{name}: must be >= {low}, got {value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """The values that one hyperparameter may take; integers where its field is an int."""

    low: float
    """Smallest value; finite, equal to `high` for a fixed setting."""
    high: float
    """Largest value, included; finite, >= low."""
    log: bool = False
    """Whether the logarithm is uniform; needs low > 0."""
    integer: bool = False
    """Whether whole numbers alone are drawn; of a field of TrainConfig its type says so."""

    def __post_init__(self) -> None:
        bounds = {"low": self.low, "high": self.high}
        refuse(
            *((not math.isfinite(v), f"{n}: must be finite, got {v}") for n, v in bounds.items()),
            (self.low > self.high, f"low: must be <= high ({self.high}), got {self.low}"),
            (
                self.log and self.low <= 0,
                f"low: must be > 0 when `log` is true, got {self.low}\n"
                "hint: use a small positive bound such as 1.0e-6, or drop `log: true`",
            ),
        )

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How much is tried, and for how long: the section `study`."""

    num_trials: int = 64
    """All trials, baseline and recipes included; >= 1 + number of recipes."""
    min_epochs: int = 20
    """First rung; epochs, [1, max_epochs], beyond the longest warm-up with asha."""
    max_epochs: int = 60
    """Length of every trial's schedule, and the last rung; epochs, >= 1."""
    reduction_factor: int = 2
    """One trial in so many passes a rung, and rungs grow by it; >= 2; `auto` may double it."""
    seed: int = 0
    """Source of the suggestions and of the trials' seeds; [0, 2**32)."""
    max_failed: int | Literal["auto"] = "auto"
    """Failed trials that end a search, diverged ones apart; >= 1, auto: 5 or a fifth of all."""
    max_total_epochs: int | Literal["none"] = "none"
    """Epochs of all trials together; >= 1, must pay for baseline and recipes whole."""
    max_hours: float | Literal["none"] = "none"
    """Wall clock of the search, all starts together, the retraining apart; hours, > 0."""

    def __post_init__(self) -> None:
        bounds = {"num_trials": 1, "min_epochs": 1, "max_epochs": 1, "reduction_factor": 2}
        max_failed = 1 if self.max_failed == "auto" else self.max_failed
        max_hours = 1 if self.max_hours == "none" else self.max_hours
        refuse(
            (
                not 0 < max_hours < math.inf,
                f"max_hours: must be none or > 0 and finite, got {max_hours}",
            ),
            (max_failed < 1, f"max_failed: must be auto or >= 1, got {max_failed}"),
            *_at_least(self, bounds),
            (
                self.min_epochs > self.max_epochs >= 1,
                f"min_epochs: must be <= max_epochs ({self.max_epochs}), got {self.min_epochs}",
            ),
            (not 0 <= self.seed < 2**32, f"seed: must be in [0, 2**32), got {self.seed}"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What trials train and are judged on: the section `data`."""

    source: Literal["cifar10", "synthetic"] = "cifar10"
    """CIFAR-10's training files, or images drawn from a seed that need no file."""
    num_val: int = 5000
    """Labelled images held out for validation, the same share of each class; >= 1."""
    num_train: int | None = None
    """Images of the rest to train on, a stratified subset; >= 1, null takes all."""

    def __post_init__(self) -> None:
        spare = 50_000 - self.num_val if self.source == "cifar10" else math.inf
        num_train = 1 if self.num_train is None else self.num_train
        refuse(
            *_at_least(self, {"num_val": 1}),
            (num_train < 1, f"num_train: must be >= 1, got {num_train}"),
            (spare < 1, f"num_val: must be < 50000, all that cifar10 has, got {self.num_val}"),
            (
                num_train > spare >= 1,
                f"num_train: must be <= {spare}, what num_val leaves of 50000, got {num_train}",
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerConfig:
    """Who suggests what to try: the section `sampler`."""

    name: Literal["auto", "tpe", "gp", "random", "qmc"] = "auto"
    """Parzen estimator, Gaussian process, uniform draws, Sobol sequence; auto: gp or tpe."""
    num_startup: int = 10
    """Trials that must have ended before tpe or gp models them; >= 1."""

    def __post_init__(self) -> None:
        refuse(*_at_least(self, {"num_startup": 1}))


@dataclass(frozen=True, kw_only=True, slots=True)
class PrunerConfig:
    """Who stops weak trials early: the section `pruner`."""

    name: Literal["asha", "none"] = "asha"
    """Asynchronous successive halving at the rungs (ASHA), or nobody."""
    rungs: Literal["auto", "fixed"] = "auto"
    """First rung at `study.min_epochs`, or where whole curves say, there at the earliest."""
    num_exempt: int = 8
    """First trials that `auto` draws at random and runs whole, baseline and recipes too; >= 4."""

    def __post_init__(self) -> None:
        refuse(*_at_least(self, {"num_exempt": 4}))

    @property
    def is_auto(self) -> bool:
        """Whether the study's own whole curves decide where stopping begins."""
        return self.name == "asha" and self.rungs == "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What one trial is granted, and how many run together: the section `resources`."""

    cpus_per_trial: float = 1
    """CPU cores, which set its threads too; > 0."""
    gpus_per_trial: float | Literal["auto"] = "auto"
    """GPUs; [0, 1], a fraction packs several trials on one; auto: as measured, 0 without any."""
    max_concurrent: int | Literal["auto"] = "auto"
    """Trials that run at once; >= 1, auto: as many as fit."""
    epoch_timeout: float | Literal["none"] = "none"
    """Longest that an epoch may take, the first with its preparations; seconds, > 0."""

    def __post_init__(self) -> None:
        cpus = self.cpus_per_trial
        gpus = 0.0 if self.gpus_per_trial == "auto" else self.gpus_per_trial
        concurrent = 1 if self.max_concurrent == "auto" else self.max_concurrent
        timeout = math.inf if self.epoch_timeout == "none" else self.epoch_timeout
        refuse(
            (not 0 < cpus < math.inf, f"cpus_per_trial: must be > 0 and finite, got {cpus}"),
            # A trial computes on one GPU: more would stand idle.
            (not 0 <= gpus <= 1, f"gpus_per_trial: must be auto or in [0, 1], got {gpus}"),
            (concurrent < 1, f"max_concurrent: must be auto or >= 1, got {concurrent}"),
            (not timeout > 0, f"epoch_timeout: must be none or > 0 seconds, got {timeout}"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmConfig:
    """How the best trials are compared with the baseline on fresh seeds: the section `confirm`."""

    top: int = 3
    """Best configurations, to which the baseline is added if missing; >= 0, 0 is off."""
    seeds: tuple[int, ...] = (11, 12, 13)
    """One run each of every configuration, paired; unique, at least two, [0, 2**32)."""
    epochs: int | Literal["auto"] = "auto"
    """Length of the schedule; epochs, >= 1, beyond the longest warm-up; auto: study.max_epochs."""

    def __post_init__(self) -> None:
        epochs = 1 if self.epochs == "auto" else self.epochs
        refuse(
            *_at_least(self, {"top": 0}),
            (epochs < 1, f"epochs: must be auto or >= 1, got {epochs}"),
            *_seed_rules(self.seeds, least=2),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainConfig:
    """How the winner is trained to completion: the section `retrain`."""

    epochs: int = 250
    """Length of the schedule; epochs, >= 1, beyond the longest warm-up."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run each; the submission is the first's; unique, at least one, [0, 2**32)."""
    train: dict[str, Scalar] = field(default_factory=dict)
    """Fields of TrainConfig laid over the winner's settings, such as `nesterov: true`."""
    mirror: bool = False
    """Whether the submission averages the logits of each image with its mirror image's."""

    def __post_init__(self) -> None:
        refuse(*_at_least(self, {"epochs": 1}), *_seed_rules(self.seeds, least=1))


def _seed_rules(given: tuple[int, ...], *, least: int) -> Iterator[tuple[bool, str]]:
    """Yield a rule for each way in which a list of seeds may be wrong."""
    seeds = list(given)
    wanted = "two seeds" if least == 2 else "one seed"
    yield len(seeds) < least, f"seeds: must hold at least {wanted}, got {seeds}"
    yield len(set(seeds)) < len(seeds), f"seeds: must differ from each other, got {seeds}"
    is_outside = any(not 0 <= seed < 2**32 for seed in seeds)
    yield is_outside, f"seeds: must be in [0, 2**32), got {seeds}"
