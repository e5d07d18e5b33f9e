"""What a trial is granted of given machines: a function of what they have, without asking Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor

from search.study.errors import MachineError
from search.study.space import Resources

Node = Mapping[str, float]
"""What a machine has, in Ray's names: `CPU`, `GPU`."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What each trial gets, and how many run at once."""

    cpus: float
    gpus: float
    slots: int
    gpu_name: str = ""
    """Of the GPU that was looked at; empty where none was."""
    mps_pipe: str | None = None
    """Where its process finds the MPS daemon, see `mps.join`; none: it shares a GPU without."""

    @property
    def threads(self) -> int:
        """CPU threads of its process: more than CPUs were granted only wait for each other."""
        return threads_of(self.cpus)

    @property
    def crew(self) -> "Crew":
        """Those who share one GPU, or on CPUs all of them: they slow each other down."""
        num = min(self.slots, per_gpu(self.gpus)) if self.gpus else self.slots
        return Crew(num, self.threads)


@dataclass(frozen=True, slots=True)
class Crew:
    """Processes that train side by side, on one GPU or on a machine's CPUs."""

    processes: int
    threads: int
    """CPU threads of each."""


def threads_of(cpus: float) -> int:
    """Return the threads that so many granted CPUs are worth."""
    return max(1, int(cpus))


def grant_on(
    nodes: Sequence[Node],
    resources: Resources,
    *,
    slots_at_most: int | None = None,
    trials_per_gpu: int = 1,
) -> Grant:
    """Return what each trial gets on these machines.

    Args:
        nodes: the machines.
        resources: of the study.
        slots_at_most: fewer trials at once than fit, such as after one was ended for its memory.
        trials_per_gpu: what `auto` means where a machine has any GPU, see `packing`.

    Raises:
        MachineError: no machine can hold a single trial.
    """
    has_gpus = any(node.get("GPU", 0) > 0 for node in nodes)
    wanted = resources.gpus_per_trial
    shared = 1 / trials_per_gpu if has_gpus else 0.0
    gpus = shared if wanted == "auto" else float(wanted)
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
    if slots_at_most is not None:
        slots = max(1, min(slots, slots_at_most))
    return Grant(cpus, gpus, slots)


def slots_of(node: Node, *, cpus: float, gpus: float) -> int:
    """Return how many trials a machine holds at once; a fraction of a GPU never spans two."""
    by_cpu = floor(node.get("CPU", 0) / cpus + 1e-9)
    if gpus == 0:
        return by_cpu
    return min(by_cpu, floor(node.get("GPU", 0)) * per_gpu(gpus))


def per_gpu(gpus: float) -> int:
    """Return how many processes share one GPU that are granted so much of it."""
    return floor(1 / gpus + 1e-9)


def widen_on(nodes: Sequence[Node], granted: Grant, num_jobs: int) -> Grant:
    """Return a grant for jobs that are few: they share out what trials would leave idle.

    CPUs where they compute on CPUs; else GPUs, of which Ray would fill one before the next.
    """
    if num_jobs >= granted.slots:
        return granted
    if granted.gpus:
        for jobs_per_gpu in range(1, per_gpu(granted.gpus)):
            gpus = 1 / jobs_per_gpu
            if sum(slots_of(node, cpus=granted.cpus, gpus=gpus) for node in nodes) >= num_jobs:
                return replace(granted, gpus=gpus, slots=num_jobs)
        return granted
    cpus = max(node.get("CPU", 0) for node in nodes)
    cpus = min(cpus, granted.cpus * granted.slots)  # no more than the trials would have had
    return Grant(max(granted.cpus, floor(cpus / num_jobs)), 0.0, num_jobs)
