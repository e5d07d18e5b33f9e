"""Any function that yields epochs, as what runs in a worker: no checkpoints, no images."""

import logging
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
import ray.tune
import torch

from search import failpoints
from search.engine.hang import bounded, hang_place
from search.engine.messages import EpochMessage
from search.engine.trial import HungError, classify, set_granted_threads
from search.study.records import Host, trial_id
from search.study.space import StudyConfig
from seresnet.epoch import EpochResult
from seresnet.train import DivergedError

_log = logging.getLogger(__name__)

Trainable = Callable[[dict[str, Any], int, int], Iterator[Mapping[str, float]]]
"""Called with a trial's params, its seed and the length of the schedule in epochs; yields an
epoch's numbers, of which `val_accuracy` is what is searched for: finite, higher is better."""

_TOLD = ("val_accuracy", "val_accuracy_raw", "val_loss", "train_loss", "lr", "images_per_second")


def foreign_trainable(
    function: Trainable, study: StudyConfig, folder: Path
) -> Callable[[dict[str, Any]], None]:
    """Return the Tune function of a study over another trainable.

    Args:
        function: the trainable.
        study: its study.
        folder: in which a trial whose epoch takes too long leaves its stack.
    """
    made: Callable[[dict[str, Any]], None] = ray.tune.with_parameters(
        run_foreign, function=function, study=study, folder=folder.resolve()
    )
    return made


def run_foreign(
    config: dict[str, Any], *, function: Trainable, study: StudyConfig, folder: Path
) -> None:
    """Run one trial until the driver stops it, reporting each epoch.

    A trial that was interrupted begins again, as nothing of it was saved but its epochs' numbers:
    those that the study holds are passed over until there are new ones.

    Args:
        config: `number`, `params`, `seed`, `attempt` and `epochs_stored` of the suggestion.
        function: the trainable.
        study: the resolved study.
        folder: holds a folder a trial.
    """
    failpoints.arm()
    own = folder / trial_id(config["number"])
    try:
        if place := hang_place(own):
            raise HungError(f"an epoch took longer than resources.epoch_timeout, in {place}")
        set_granted_threads()
        host = _host()
        epochs = function(dict(config["params"]), config["seed"], study.study.max_epochs)
        for result in bounded(measured(epochs), own, study.resources.epoch_timeout):
            if result.epoch > config["epochs_stored"]:
                ray.tune.report(EpochMessage(result, host, config["attempt"]).as_report())
    except torch.AcceleratorError:
        # The process has lost its GPU for good and would be reused: Ray starts another instead.
        _log.exception("the GPU failed")
        os._exit(1)
    except Exception as error:
        ray.tune.report(classify(error, folder.parent).as_report())


def measured(results: Iterator[Mapping[str, float]]) -> Iterator[EpochResult]:
    """Yield what a trainable yields, counted from epoch 1 and timed.

    Raises:
        ValueError: it is no mapping, lacks `val_accuracy`, or has a key that no table has.
        DivergedError: a number is infinite or none.
    """
    started = time.monotonic()
    for epoch, numbers in enumerate(results, 1):
        seconds = time.monotonic() - started
        yield _as_result(epoch, numbers, seconds)
        started = time.monotonic()


def _as_result(epoch: int, numbers: object, seconds: float) -> EpochResult:
    if not isinstance(numbers, Mapping) or "val_accuracy" not in numbers:
        told = sorted(numbers) if isinstance(numbers, Mapping) else type(numbers).__name__
        raise ValueError(f"epoch {epoch}: must yield a dict with val_accuracy, got {told}")
    if unknown := sorted(set(map(str, numbers)) - set(_TOLD)):
        known = ", ".join(_TOLD)
        raise ValueError(f"epoch {epoch}: {', '.join(unknown)}: unknown, the tables have {known}")
    values = {k: None if numbers.get(k) is None else float(numbers[k]) for k in _TOLD}
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise DivergedError(epoch, f"{name} not finite")
    return EpochResult(epoch=epoch, seconds=seconds, **values)


def _host() -> Host:
    device = "cuda" if ray.get_gpu_ids() else "cpu"
    return Host(node=platform.node(), device=device, dtype="", threads=torch.get_num_threads())
