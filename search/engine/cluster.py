"""A Ray session for one command, and what its machines can hold."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any

# Ray reads these when it is imported: no telemetry, none of Tune's own output, files or folders.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
# A cluster started where a token lies asks for it, but a driver sends it only if told to. Once Ray
# is imported its driver has decided, and its servers alone would hear of a change.
if "ray" not in sys.modules and (Path.home() / ".ray" / "auth_token").is_file():
    os.environ.setdefault("RAY_AUTH_MODE", "token")

import ray

from search.study.errors import MachineError
from search.study.space import Resources

# Longer than any teardown: a reused worker whose last trial has not left in time hangs the search.
_WORKER_ENVIRONMENT = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60", "RAY_CHDIR_TO_TRIAL_DIR": "0"}

MAX_RETRIES = 2
"""Of a trial or a training whose worker died; what would fail again is not retried."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What each trial gets, and how many run at once."""

    cpus: float
    gpus: float
    slots: int


@contextmanager
def session(*, address: str | None = None, verbose: bool = False, **options: Any) -> Iterator[None]:
    """Start Ray on this machine, or join a running cluster; leave it at the end.

    Args:
        address: of a running cluster; none starts one here, whatever else runs on this machine.
        verbose: show the workers' output.
        options: passed to `ray.init`, such as `num_gpus=2` to pretend.

    Raises:
        MachineError: the cluster cannot be reached or Ray does not start.
    """
    try:
        with redirect_stdout(sys.stderr):
            ray.init(
                address=address or "local",
                include_dashboard=False if address is None else None,
                log_to_driver=verbose,
                logging_level=logging.INFO if verbose else logging.ERROR,
                runtime_env={"env_vars": _WORKER_ENVIRONMENT},
                **options,
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        where = f"the cluster at {address}" if address else "Ray on this machine"
        raise MachineError(
            f"cannot start or join {where}: {reason}",
            "check the address, and that RAY_AUTH_MODE and the token agree with the cluster's"
            if address
            else "see the newest folder under /tmp/ray for its log",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def grant(resources: Resources) -> Grant:
    """Return what each trial gets on the running cluster.

    `auto` GPUs are one a trial where the cluster has any.

    Raises:
        MachineError: no machine of the cluster can hold a single trial.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    has_gpus = any(node.get("GPU", 0) > 0 for node in nodes)
    wanted = resources.gpus_per_trial
    gpus = (1.0 if has_gpus else 0.0) if wanted == "auto" else float(wanted)
    cpus = float(resources.cpus_per_trial)
    slots = sum(slots_of(node, cpus=cpus, gpus=gpus) for node in nodes)
    if slots == 0:
        most_cpus = max((node.get("CPU", 0) for node in nodes), default=0)
        most_gpus = max((node.get("GPU", 0) for node in nodes), default=0)
        raise MachineError(
            f"resources: a trial asks for {cpus:g} CPUs and {gpus:g} GPUs, "
            f"the largest machine has {most_cpus:g} and {most_gpus:g}",
            "lower resources.cpus_per_trial or --gpus-per-trial",
        )
    if resources.max_concurrent != "auto":
        slots = min(slots, resources.max_concurrent)
    return Grant(cpus, gpus, slots)


def usable_grant(resources: Resources) -> Grant:
    """Return `grant`, once PyTorch has been seen to compute on what it gives.

    Where Ray sees a GPU that PyTorch cannot use, every trial would fail, and a failed one is final.

    Raises:
        MachineError: no machine can hold a trial, or PyTorch cannot use the GPU.
    """
    granted = grant(resources)
    if granted.gpus:
        # max_calls: a process that has touched one GPU would not see another
        probe = ray.remote(num_cpus=granted.cpus, num_gpus=granted.gpus, max_calls=1)(_try_gpu)
        problem = ray.get(probe.remote())
        if problem:
            raise MachineError(
                f"resources: PyTorch cannot use the GPU that Ray grants: {problem}",
                "install the PyTorch build that fits the driver, or say --gpus-per-trial 0",
            )
    return granted


def _try_gpu() -> str:
    """Return why PyTorch cannot compute on the GPU, or nothing."""
    import torch

    try:
        torch.zeros(1, device="cuda")
    except (AssertionError, RuntimeError) as error:
        return str(error).splitlines()[0]
    return ""


def slots_of(node: Mapping[str, float], *, cpus: float, gpus: float) -> int:
    """Return how many trials a machine holds at once; a fraction of a GPU never spans two."""
    by_cpu = floor(node.get("CPU", 0) / cpus + 1e-9)
    if gpus == 0:
        return by_cpu
    have = floor(node.get("GPU", 0))
    by_gpu = have * floor(1 / gpus + 1e-9) if gpus < 1 else floor(have / gpus)
    return min(by_cpu, by_gpu)


def widen(granted: Grant, num_jobs: int) -> Grant:
    """Return a grant for jobs that are few: on CPUs they share out what trials would leave idle."""
    if granted.gpus or num_jobs >= granted.slots:
        return granted
    cpus = max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"])
    cpus = min(cpus, granted.cpus * granted.slots)  # no more than the trials would have had
    return Grant(max(granted.cpus, floor(cpus / num_jobs)), 0.0, num_jobs)
