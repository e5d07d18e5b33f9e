"""What runs in a worker: a thin coat over the trainable, with its own checkpoints."""

import logging
import os
import platform
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.tune
import torch

from search import failpoints
from search.engine.grants import threads_of
from search.engine.hang import bounded, hang_place
from search.engine.messages import EpochMessage, Failure, Refusal
from search.engine.mps import join
from search.study.dataset import Dataset
from search.study.records import Host, trial_id
from search.study.space import StudyConfig
from seresnet import checkpoint
from seresnet.data import Split
from seresnet.device import describe_device
from seresnet.failpoints import reach
from seresnet.fence import Fence, StaleAttemptError
from seresnet.train import DivergedError, TrainState, train

_log = logging.getLogger(__name__)
Arrays = tuple[np.ndarray, np.ndarray]
"""Images and labels as they travel through Ray's object store."""


def trainable(
    study: StudyConfig, checkpoints: Path, dataset: Dataset, mps_pipe: str | None = None
) -> Callable[[dict[str, Any]], None]:
    """Return the Tune function of a study; the images lie once a node in Ray's object store."""
    function: Callable[[dict[str, Any]], None] = ray.tune.with_parameters(
        run_trial,
        study=study,
        checkpoints=checkpoints.resolve(),
        train_arrays=as_arrays(dataset.train),
        val_arrays=as_arrays(dataset.val),
        mps_pipe=mps_pipe,
    )
    return function


def run_trial(
    config: dict[str, Any],
    *,
    study: StudyConfig,
    checkpoints: Path,
    train_arrays: Arrays,
    val_arrays: Arrays,
    mps_pipe: str | None = None,
) -> None:
    """Train one trial until the driver stops it: train, evaluate, checkpoint, report.

    A trial that was interrupted goes on from its last checkpoint, and first reports the epochs
    that the study lacks, or its last one: the driver may have died before it heard of them.

    Args:
        config: `number`, `params`, `seed`, `attempt` and `epochs_stored` of the suggestion.
        study: the resolved study.
        checkpoints: folder of the study's checkpoints, seen by every node.
        train_arrays: images and labels to train on.
        val_arrays: images and labels to judge by.
        mps_pipe: of the MPS daemon through which trials share a GPU, if any.
    """
    failpoints.arm()
    join(mps_pipe)
    name, attempt = trial_id(config["number"]), config["attempt"]
    folder = checkpoints / name
    try:
        device = granted_device()
        set_granted_threads()
        settings = study.trial_config(
            config["params"], epochs=study.study.max_epochs, seed=config["seed"]
        )
        fence = Fence(folder, attempt)
        fence.claim()
        if place := hang_place(folder):
            raise HungError(f"an epoch took longer than resources.epoch_timeout, in {place}")
        state = checkpoint.load(folder, config=settings, device=device)
        if state is None:
            state = TrainState.create(settings, device)
        host = describe_host(state)
        for result in state.history[config["epochs_stored"] :] or state.history[-1:]:
            ray.tune.report(EpochMessage(result, host, attempt).as_report())
        epochs = train(state, as_split(train_arrays), as_split(val_arrays))
        for result in bounded(epochs, folder, study.resources.epoch_timeout):
            reach("epoch-trained", f"{name} {result.epoch}")
            checkpoint.save(state, folder, fence=fence)
            ray.tune.report(EpochMessage(result, host, attempt).as_report())
    except torch.AcceleratorError:
        # The process has lost its GPU for good and would be reused: Ray starts another instead.
        _log.exception("the GPU failed")
        os._exit(1)
    except StaleAttemptError:
        # Of an orphan nobody hears. Where the mark is merely lost, Ray starts a new attempt.
        _log.warning("%s: attempt %d is over: another worker has taken it up", name, attempt)
        os._exit(1)
    except OSError as error:
        ray.tune.report(Refusal(refused(error, folder)).as_report())
    except Exception as error:
        ray.tune.report(classify(error, checkpoints.parent).as_report())


class HungError(RuntimeError):
    """An earlier attempt of the trial ended itself, because an epoch took too long."""


def refused(error: OSError, folder: Path) -> str:
    """Return one line: what the system refused to a worker, where."""
    where = error.filename or folder
    return f"{where}: {error.strerror or error} (node {platform.node()})"


def classify(error: Exception, folder: Path) -> Failure:
    """Return an exception as the reason of a trial's end.

    Args:
        error: what the trial raised.
        folder: of the study, which can be moved: its path is left out.
    """
    if isinstance(error, DivergedError):
        return Failure("diverged", str(error))
    if isinstance(error, torch.OutOfMemoryError):
        first = str(error).splitlines()[0]
        return Failure("cuda-oom", f"{first} (fewer trials at once, or a smaller batch_size)")
    if isinstance(error, HungError):
        return Failure("timeout", str(error))
    _log.error("trial failed", exc_info=error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    text = " ".join(str(error).split()).replace(f"{folder}/", "") or "no message"
    return Failure("exception", f"{type(error).__name__}: {text} ({place})")


def granted_device() -> torch.device:
    """Return the device Ray granted: a worker that was granted no GPU may still see one.

    Raises:
        RuntimeError: a GPU was granted, but this PyTorch cannot use it.
    """
    if not ray.get_gpu_ids():
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise RuntimeError("Ray granted a GPU, but this PyTorch cannot use it")
    return torch.device("cuda", 0)  # Ray hides the others


def set_granted_threads() -> None:
    """Compute with as many threads as CPUs were granted: more of them only wait for each other."""
    granted = ray.get_runtime_context().get_assigned_resources().get("CPU", 1)
    torch.set_num_threads(threads_of(granted))


def describe_host(state: TrainState) -> Host:
    """Return where and how a run computes."""
    return Host(
        node=platform.node(),
        device=describe_device(state.device),
        dtype=str(state.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
    )


def as_arrays(split: Split) -> Arrays:
    """Return a split as it travels to the workers."""
    return split.images.numpy(), split.labels.numpy()


def as_split(arrays: Arrays) -> Split:
    """Return what came from the object store as a split over the same memory, to be read only.

    All trials of a node share it, and a tensor over it would write through it without a word.
    `train` reads alone, which a test holds it to.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        images, labels = (torch.from_numpy(array) for array in arrays)
    return Split(images, labels)
