"""A few real epochs, timed as trials would run: as many at once, each in a process of its own.

No Ray: the processes are Python's own, and end with this module's one function.
"""

import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier

import torch

from search.engine.grants import Crew
from search.engine.workload import Training
from search.study.forecast import Pace, Timing
from seresnet.config import TrainConfig
from seresnet.device import describe_device

_START_SECONDS = 300.0  # for all processes: imports, a first epoch with its captures
_END_SECONDS = 5.0
_BATCHES = {"cpu": 4, "cuda": 20}  # of a window: short beside the seconds that are given
_VAL_IMAGES = {"cpu": 250, "cuda": 2500}  # on a GPU a whole batch of them: less is mostly waiting


class TimingError(Exception):
    """No epoch could be timed; the message says why, in a line."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What one process is told."""

    config: TrainConfig
    num_train: int
    num_val: int
    device: str
    trials: Crew
    retrainings: Crew
    index: int
    """Of the process, from 0."""
    seconds: float
    started: float
    """Time of its start; seconds since the epoch, which all processes share."""


def time_trainings(
    config: TrainConfig,
    num_train: int,
    num_val: int,
    *,
    on_gpu: bool,
    trials: Crew,
    retrainings: Crew,
    seconds: float,
) -> Timing:
    """Return how fast trials are, and then how fast retrainings are; on random images.

    Args:
        config: of the training, see `workload.shape_config`.
        num_train: images of the study's epoch; a window has no more.
        num_val: images that the study judges by.
        on_gpu: whether on the first GPU.
        trials: as many as run at once, on that GPU if it is one.
        retrainings: the same; where they are as many and as wide, the trials' times are taken.
        seconds: of each of the two.

    Raises:
        TimingError: a process failed or was killed.
    """
    device = "cuda" if on_gpu else "cpu"
    num_train = min(num_train, _BATCHES[device] * config.batch_size)
    num_val = min(num_val, _VAL_IMAGES[device])
    context = get_context("spawn")  # a forked PyTorch may hang
    num_processes = max(trials.processes, retrainings.processes)
    gate = context.Barrier(num_processes)
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    try:
        for index in range(num_processes):
            ours, theirs = context.Pipe(duplex=False)
            job = _Job(
                config, num_train, num_val, device, trials, retrainings, index, seconds, time.time()
            )
            process = context.Process(target=_run, args=(job, gate, theirs), daemon=True)
            process.start()
            theirs.close()  # so that the death of its only owner ends the pipe
            processes.append(process)
            pipes.append(ours)
        found = _collect(pipes, _START_SECONDS + 4 * seconds)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(_END_SECONDS)
        for pipe in pipes:
            pipe.close()
    return Timing(
        trials=tuple(pace for each in found for pace in each.trials),
        retrainings=tuple(pace for each in found for pace in each.retrainings),
        start_seconds=max(each.start_seconds for each in found),
        device=found[0].device,
        dtype=found[0].dtype,
    )


def _collect(pipes: list[Connection], seconds: float) -> list[Timing]:
    """Return what each process has found; the first that fails ends it for all."""
    found: list[Timing] = []
    waiting, ends_at = list(pipes), time.monotonic() + seconds
    while waiting:
        ready = wait(waiting, timeout=max(0.0, ends_at - time.monotonic()))
        if not ready:
            raise TimingError("no answer in time")
        for pipe in ready:
            assert isinstance(pipe, Connection)
            try:
                answer: Timing | str = pipe.recv()
            except (EOFError, OSError):
                answer = "a process was killed, as for want of memory"
            if isinstance(answer, str):
                raise TimingError(answer)
            found.append(answer)
            waiting.remove(pipe)
    return found


def _run(job: _Job, gate: Barrier, pipe: Connection) -> None:
    """Be one of the processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's, which ends its own
    try:
        pipe.send(_time(job, gate))
    except threading.BrokenBarrierError:
        pipe.send("a process was late")
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        pipe.send(f"{type(error).__name__}: {text}")


def _time(job: _Job, gate: Barrier) -> Timing:
    torch.set_num_threads(job.trials.threads)
    device = torch.device("cuda", 0) if job.device == "cuda" else torch.device("cpu")
    training = Training(job.config, job.num_train, job.num_val, 0, device)
    training.train_epoch()  # finds out how to compute, and is slower than all others
    start_seconds = time.time() - job.started
    trials = _windows(training, job, job.trials, gate)
    is_same = job.retrainings == job.trials
    retrainings = trials if is_same else _windows(training, job, job.retrainings, gate)
    return Timing(
        trials=tuple(trials),
        retrainings=tuple(retrainings),
        start_seconds=start_seconds,
        device=describe_device(device),
        dtype=str(training.state.dtype).removeprefix("torch."),
    )


def _windows(training: Training, job: _Job, crew: Crew, gate: Barrier) -> list[Pace]:
    """Return what each short epoch took until the seconds were over; none outside the crew.

    What ends after them counts too: the others are about as long at work.
    """
    gate.wait(_START_SECONDS)
    if job.index >= crew.processes:
        return []
    if torch.get_num_threads() != crew.threads:
        torch.set_num_threads(crew.threads)
        training.train_epoch()
    paces: list[Pace] = []
    started = time.monotonic()
    while not paces or time.monotonic() - started < job.seconds:
        result = training.train_epoch()
        assert result.images_per_second is not None  # our own training says it
        seconds = job.num_train / result.images_per_second
        paces.append(Pace(seconds / job.num_train, (result.seconds - seconds) / job.num_val))
    return paces
