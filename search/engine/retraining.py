"""The winner, trained to completion once a seed, and its answers for unlabelled images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from seresnet.run import run
from seresnet.train import DivergedError


@dataclass(frozen=True, slots=True)
class Job:
    """One training to completion, in a folder of its own."""

    config: TrainConfig
    folder: Path
    owner: str
    """The run's identity, which marks its folder."""
    provenance: dict[str, object]


def retrain(
    jobs: Sequence[Job],
    data: Split,
    granted: Grant,
    observe: Callable[[Job, EpochResult], object],
) -> None:
    """Run the jobs, as many at once as fit; each goes on where its folder says it was.

    Args:
        jobs: each with its own folder, seen by every node.
        data: trained on, whole.
        granted: resources of each job.
        observe: called after each epoch, in no order among the jobs.

    Raises:
        UnfinishedError: a job diverged, or its worker died more than twice.
        DamagedStudyError: what a finished job left behind is damaged.
        MachineError: a job could not read or write its files.
    """
    arrays = ray.put(as_arrays(data))
    # max_calls: a process that has touched one GPU would not see another
    task = ray.remote(
        num_cpus=granted.cpus,
        num_gpus=granted.gpus,
        num_returns="streaming",
        max_retries=0,
        max_calls=1,
    )(_run_job)
    waiting, attempts = list(jobs), dict.fromkeys((job.folder for job in jobs), 0)
    streams: dict[Any, Job] = {}
    while waiting or streams:
        while waiting and len(streams) < granted.slots:
            job = waiting.pop(0)
            attempts[job.folder] += 1
            streams[task.remote(job, arrays, granted.mps_pipe)] = job
        ready: list[Any] = ray.wait(list(streams), num_returns=1)[0]
        for stream in ready:
            job = streams[stream]
            try:
                result: EpochResult = ray.get(next(stream))
                observe(job, result)
            except StopIteration:
                del streams[stream]
            except ray.exceptions.RayTaskError as error:
                raise _unfinished(job, error.cause) from error
            except ray.exceptions.RayError as error:
                del streams[stream]
                if attempts[job.folder] > MAX_RETRIES:
                    raise _unfinished(job, error) from error
                waiting.append(job)


def label(model: Path, images: torch.Tensor, granted: Grant) -> torch.Tensor:
    """Return a saved model's logits (n, 10) for uint8 images (n, 3, 32, 32)."""
    task = ray.remote(num_cpus=granted.cpus, num_gpus=granted.gpus, max_calls=1)(_label)
    logits: np.ndarray = ray.get(task.remote(model, images.numpy(), granted.mps_pipe))
    return torch.from_numpy(logits.copy())


def _run_job(job: Job, arrays: Arrays, mps_pipe: str | None) -> Iterator[EpochResult]:
    failpoints.arm()
    join(mps_pipe)
    set_granted_threads()
    yield from run(
        job.config,
        as_split(arrays),
        None,
        folder=job.folder,
        device=granted_device(),
        provenance=job.provenance,
    )


def _label(model: Path, images: np.ndarray, mps_pipe: str | None) -> np.ndarray:
    join(mps_pipe)
    set_granted_threads()
    device = granted_device()
    network, config = load_model(model)
    network = place(network, device)
    dtype = resolve_precision(config.precision, device)
    logits = predict(network, torch.from_numpy(images.copy()), config=config, dtype=dtype)
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
