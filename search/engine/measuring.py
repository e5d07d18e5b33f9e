"""Several trainings on one GPU for some seconds: how many images a second they make together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import ray
import ray.exceptions
import torch
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from search.engine.mps import join
from search.engine.packing import Row
from search.engine.trial import granted_device, set_granted_threads
from search.engine.workload import Training, shape_config
from search.study.dataset import Dataset
from search.study.space import StudyConfig
from seresnet.config import TrainConfig

WINDOW_SECONDS = 4.0
"""Of each measurement: many epochs on a GPU, short beside the start of its processes."""
_START_SECONDS = 300.0  # for all processes: imports, a first epoch with its captures
_PLACE_SECONDS = 60.0  # until a GPU of a busy cluster is free
_END_SECONDS = 5.0  # a signal leaves 20 for all that there is to end
_BATCHES = 20  # of an epoch, which so is short beside the window


class Load(Protocol):
    """What one process does while it is measured."""

    def epoch(self) -> int:
        """Train an epoch; return its images."""

    def memory(self) -> tuple[float, float]:
        """Return what the whole device has in use, by whomever, and what it has; GiB."""


def training_of(
    study: StudyConfig, dataset: Dataset, device: torch.device | None = None
) -> Callable[[], Load]:
    """Return what makes a training of a study's shape: its baseline's settings, short epochs.

    Args:
        study: the study.
        dataset: its images, of which the sizes count.
        device: none is what Ray grants.
    """
    config = shape_config(study)
    num_held, num_all = len(dataset.train) + len(dataset.val), len(dataset.train)
    num_train = min(num_all, _BATCHES * config.batch_size)
    num_val = max(1, round(len(dataset.val) * num_train / num_all))
    return partial(_training, config, num_train, num_val, num_held, device)


def _training(
    config: TrainConfig, num_train: int, num_val: int, num_held: int, device: torch.device | None
) -> Training:
    return Training(config, num_train, num_val, num_held, device or granted_device())


def shape_of(study: StudyConfig) -> dict[str, Any]:
    """Return what sets the speed of a study's trials beside the GPU; plain JSON values."""
    config = shape_config(study)
    return {
        "channels": list(config.channels),
        "batch_size": config.batch_size,
        "precision": config.precision,
        "cpus_per_trial": study.resources.cpus_per_trial,
    }


@dataclass(frozen=True, slots=True)
class Sample:
    """What one of the processes saw."""

    images_per_second: float
    memory_used: float
    memory_total: float


class Worker:
    """One of the processes that share a GPU; Ray runs it as an actor.

    Args:
        make_load: called there.
        pipe: of the MPS daemon; none: without.
    """

    def __init__(self, make_load: Callable[[], Load], pipe: str | None) -> None:
        self._make_load, self._pipe = make_load, pipe

    def prepare(self) -> None:
        """Train a first epoch, which finds out how to compute and is slower than all others."""
        join(self._pipe)
        set_granted_threads()
        self._load = self._make_load()
        self._load.epoch()

    def run(self, seconds: float) -> Sample:
        """Train until the seconds are over, and count the epochs that ended before.

        The epoch that is cut is trained all the same: it keeps the GPU busy for the others.
        """
        rate, images, started = 0.0, 0, time.monotonic()
        while True:
            images += self._load.epoch()
            elapsed = time.monotonic() - started
            if elapsed <= seconds or not rate:
                rate = images / elapsed
            if elapsed > seconds:
                return Sample(rate, *self._load.memory())


def measure(
    make_load: Callable[[], Load],
    trials: int,
    pipe: str | None = None,
    *,
    cpus: float,
    seconds: float = WINDOW_SECONDS,
) -> Row:
    """Return what so many trials make together on one GPU; whatever fails is said in the row.

    Args:
        make_load: makes what each process does.
        trials: processes.
        pipe: of the MPS daemon; none: they take turns on the GPU.
        cpus: of each process.
        seconds: of the measurement itself.
    """
    row = Row(trials, is_mps=pipe is not None)
    # One bundle with one GPU: all its processes are on the same one.
    group = placement_group([{"CPU": cpus * trials, "GPU": 1}])
    workers: list[Any] = []
    try:
        if not group.wait(_PLACE_SECONDS):
            return replace(row, problem=f"no GPU was free within {_PLACE_SECONDS:g} s")
        workers += _start(trials, make_load, cpus=cpus, pipe=pipe, group=group)
        ray.get([worker.prepare.remote() for worker in workers], timeout=_START_SECONDS)
        asked = [worker.run.remote(seconds) for worker in workers]
        samples: list[Sample] = ray.get(asked, timeout=seconds + _START_SECONDS)
    except ray.exceptions.RayError as error:
        return replace(row, problem=_reason(error))
    finally:
        # Gently: a client of MPS that is killed at work can take the others with it.
        if ends := [worker.__ray_terminate__.remote() for worker in workers]:
            ray.wait(ends, num_returns=len(ends), timeout=_END_SECONDS)
        remove_placement_group(group)
    return replace(
        row,
        images_per_second=round(sum(sample.images_per_second for sample in samples), 1),
        memory_used=round(max(sample.memory_used for sample in samples), 2),
        memory_total=round(max(sample.memory_total for sample in samples), 2),
    )


def _start(
    trials: int,
    make_load: Callable[[], Load],
    *,
    cpus: float,
    pipe: str | None,
    group: PlacementGroup,
) -> list[Any]:
    there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
    actor = ray.remote(num_cpus=cpus, num_gpus=1 / trials, scheduling_strategy=there)(Worker)
    return [actor.remote(make_load, pipe) for _ in range(trials)]


def _reason(error: BaseException) -> str:
    """Return one line."""
    if isinstance(error, ray.exceptions.GetTimeoutError):
        return "no answer in time"
    cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
    text = " ".join(str(cause).split())[:200]
    return f"{type(cause).__name__}: {text}"
