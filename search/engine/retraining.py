"""Trainings to completion, each in a folder of its own, and a model's answers for images."""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import ray
import torch

from search import failpoints
from search.engine.cluster import MAX_RETRIES
from search.engine.grants import Grant
from search.engine.mps import join
from search.engine.trial import (
    Arrays,
    as_arrays,
    as_split,
    granted_device,
    refused,
    set_granted_threads,
)
from search.study.errors import DamagedStudyError, MachineError, UnfinishedError
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.device import place, resolve_precision
from seresnet.epoch import EpochResult
from seresnet.errors import GO_ON_WITH_ROOM, DamagedError, UserError
from seresnet.model_file import load_model
from seresnet.predict import predict
from seresnet.run import holder, run
from seresnet.train import DivergedError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One training to completion, in a folder of its own."""

    config: TrainConfig
    folder: Path
    owner: str
    """The run's identity, which marks its folder."""
    provenance: dict[str, object]


class Observer(Protocol):
    """Who is told of a stage's trainings."""

    def begins(self, jobs: Sequence[Job], unfinished: Sequence[Job]) -> None:
        """Take note of all that belongs to the stage, and of what is still to be trained."""

    def trained(self, job: Job, result: EpochResult) -> None:
        """Take note of an epoch; of a job that goes on, all its epochs come again."""

    def diverged(self, job: Job) -> None:
        """Take note of a job that ended without a model."""


def clear_stale(jobs: Sequence[Job]) -> None:
    """Delete what lies in the jobs' folders of trainings with other settings."""
    for job in jobs:
        # Out of the way first: a kill in the middle of a deletion leaves nothing that has a name.
        aside = job.folder.with_name(f".stale-{job.folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        if holder(job.folder) not in (None, job.owner):
            _log.warning("%s is stale, made with other settings: it is made anew", job.folder.name)
            job.folder.replace(aside)
            shutil.rmtree(aside)


def train_jobs(
    jobs: Sequence[Job],
    train: Split,
    val: Split | None,
    granted: Grant,
    observer: Observer,
    *,
    on_diverged: Callable[[Job, DivergedError], object] | None = None,
) -> None:
    """Run the jobs, as many at once as fit; each goes on where its folder says it was.

    Args:
        jobs: each with its own folder, seen by every node.
        train: trained on, whole.
        val: judged on after each epoch, if any.
        granted: resources of each job.
        observer: is told of each epoch, in no order among the jobs.
        on_diverged: called for a job that diverged, so that the others go on.

    Raises:
        UnfinishedError: a job diverged and nobody takes note, or its worker died more than twice.
        DamagedStudyError: what a finished job left behind is damaged.
        MachineError: a job could not read or write its files.
    """
    train_arrays = ray.put(as_arrays(train))
    val_arrays: Any = None if val is None else ray.put(as_arrays(val))
    task = ray.remote(
        num_cpus=granted.cpus,
        num_gpus=granted.gpus,
        num_returns="streaming",
        max_retries=0,
        # A process that has touched one GPU would not see another; without GPUs it serves again.
        max_calls=1 if granted.gpus else 0,
    )(_run_job)
    waiting, attempts = list(jobs), dict.fromkeys((job.folder for job in jobs), 0)
    streams: dict[Any, Job] = {}
    while waiting or streams:
        while waiting and len(streams) < granted.slots:
            job = waiting.pop(0)
            attempts[job.folder] += 1
            streams[task.remote(job, train_arrays, val_arrays, granted.mps_pipe)] = job
        ready: list[Any] = ray.wait(list(streams), num_returns=1)[0]
        for stream in ready:
            job = streams[stream]
            try:
                result: EpochResult = ray.get(next(stream))
                observer.trained(job, result)
            except StopIteration:
                del streams[stream]
            except ray.exceptions.RayTaskError as error:
                if on_diverged is None or not isinstance(error.cause, DivergedError):
                    raise _unfinished(job, error.cause) from error
                del streams[stream]
                on_diverged(job, error.cause)
                observer.diverged(job)
            except ray.exceptions.RayError as error:
                del streams[stream]
                if attempts[job.folder] > MAX_RETRIES:
                    raise _unfinished(job, error) from error
                waiting.append(job)


def label(
    model: Path, images: torch.Tensor, granted: Grant, *, mirror: bool = False
) -> torch.Tensor:
    """Return a saved model's logits (n, 10) for uint8 images (n, 3, 32, 32); `mirror`: averaged."""
    max_calls = 1 if granted.gpus else 0  # as above
    task = ray.remote(num_cpus=granted.cpus, num_gpus=granted.gpus, max_calls=max_calls)(_label)
    logits: np.ndarray = ray.get(task.remote(model, images.numpy(), granted.mps_pipe, mirror))
    return torch.from_numpy(logits.copy())


def _run_job(
    job: Job, train: Arrays, val: Arrays | None, mps_pipe: str | None
) -> Iterator[EpochResult]:
    failpoints.arm()
    join(mps_pipe)
    set_granted_threads()
    results = run(
        job.config,
        as_split(train),
        None if val is None else as_split(val),
        folder=job.folder,
        device=granted_device(),
        provenance=job.provenance,
    )
    # Not `yield from`: Ray 2.60 sends a value into the generator after each yield, and the list of
    # an earlier start's epochs, which `run` yields from, takes none.
    for result in results:  # noqa: UP028
        yield result


def _label(
    model: Path, images: np.ndarray, mps_pipe: str | None, mirror: bool = False
) -> np.ndarray:
    join(mps_pipe)
    set_granted_threads()
    device = granted_device()
    network, config = load_model(model)
    network = place(network, device)
    dtype = resolve_precision(config.precision, device)
    pixels = torch.from_numpy(images.copy())
    logits = predict(network, pixels, config=config, dtype=dtype, mirror=mirror)
    return logits.cpu().numpy()


def _unfinished(job: Job, reason: Exception) -> UserError:
    if isinstance(reason, DamagedError):
        return DamagedStudyError(reason.message, reason.hint)
    if isinstance(reason, OSError):
        return MachineError(refused(reason, job.folder), GO_ON_WITH_ROOM)
    text = " ".join(str(reason).split()) or type(reason).__name__
    hint = "mend the cause, then run the same command: it goes on from the last checkpoint"
    if isinstance(reason, DivergedError):
        hint = "the winner does not train to completion with this seed: choose other retrain.seeds"
    return UnfinishedError(f"{job.folder}: training stopped: {text}", hint)
