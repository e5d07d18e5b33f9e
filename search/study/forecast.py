"""What a study will cost, said before its first epoch: values alone, whoever finds and shows them.

A forecast is made of two things that are found out beforehand: how many epochs the study takes, in
simulated searches, and how long an epoch takes here, in timed ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LOW, _MIDDLE, _HIGH = 0.1, 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Range:
    """Where a number lies that is not known yet."""

    low: float
    """One case in ten lies below."""
    middle: float
    """The median."""
    high: float
    """One case in ten lies above."""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def times(self, factor: float) -> "Range":
        """Return the range of a multiple; the factor is >= 0."""
        return Range(self.low * factor, self.middle * factor, self.high * factor)


def range_of(values: Sequence[float]) -> Range:
    """Return the quantiles of equally likely cases, at least one; between two by their distance."""
    ordered = sorted(values)
    return Range(*(_quantile(ordered, share) for share in (_LOW, _MIDDLE, _HIGH)))


@dataclass(frozen=True, slots=True)
class Pace:
    """What one window of a timed training took."""

    train: float
    """Seconds of training an image."""
    val: float
    """Seconds of judging an image, by both networks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How fast a study's trainings are on this machine, as many at once as will run."""

    trials: tuple[Pace, ...]
    """Windows of all processes, at least one; of trials."""
    retrainings: tuple[Pace, ...]
    """The same of retrainings, which may be fewer at once and have more threads."""
    start_seconds: float
    """From the start of these processes until each had trained a first short epoch."""
    device: str
    """Type and name, such as `cpu` or `cuda NVIDIA H200`."""
    dtype: str
    """Of the forward pass: `float32` or `bfloat16`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where the study would run, and how."""

    name: str
    """For a person, such as `2 cores of AMD EPYC`."""
    cores: int
    load: float
    """Processes that wanted a core in the minute before anything was timed, on average."""
    workers: int
    """Trials at once."""
    threads: int
    """CPU threads of each."""
    gpus: float
    """Of each; 0 on CPUs."""
    is_packing_open: bool
    """Whether the first start will measure how many trials share a GPU, which so may be more."""
    free_bytes: int
    """Room on the disk of the study folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """What the study came to in virtual time."""

    num_searches: int
    curves: tuple[str, ...]
    """Families that were simulated, or the table that was."""
    sampler: str
    """That made the suggestions; `random` where the study's own would have taken too long."""
    epochs: Range
    """Of the search."""
    stopped: tuple[tuple[int, Range], ...]
    """Epoch, and the share of all trials that were stopped there, [0, 1]; only where any was."""
    complete: Range
    """Share of the trials that came to their end, [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A part of the command."""

    name: str
    seconds: Range


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What the command takes on this machine."""

    device: str
    dtype: str
    epoch_seconds: Range
    """Of a trial, with judging, checkpoint and report."""
    stages: tuple[Stage, ...]
    """The parts, in their order."""
    seconds: Range
    """Of all of them together."""
    gpu_hours: Range | None
    """Hours that trainings hold GPUs, a fraction of one counts as such; None on CPUs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What is known of a study before it runs."""

    machine: Machine
    num_parameters: int
    """Of the network."""
    disk_bytes: int
    """Room that the search asks for."""
    simulated: Simulated
    cost: Cost | None
    """None where no epoch could be timed."""
    problem: str = ""
    """Why there is no cost; empty if there is one."""


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    before = math.floor(place)
    after = min(before + 1, len(ordered) - 1)
    return ordered[before] + (place - before) * (ordered[after] - ordered[before])
