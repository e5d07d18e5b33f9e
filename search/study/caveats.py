"""What a plan warns of: each a sentence with its number and a remedy."""

from collections.abc import Iterator
from datetime import timedelta

from search.study.forecast import Forecast
from search.study.modeller import modeller
from search.study.space import StudyConfig

_LONG = timedelta(days=1)
_LEAST_ROUNDS = 4  # trials a worker, with fewer most suggestions know of no result
_FULL_SIZE = 1_000_000  # parameters; the narrow networks of the examples have a fifth of that
_BUSY = 0.75  # of the cores that others want: our trainings have less than they would alone
_MB = 10**6


def caveats(config: StudyConfig, forecast: Forecast) -> list[str]:
    """Return the warnings of a plan, the gravest first."""
    return [
        *_of_time(config, forecast),
        *_of_the_machine(config, forecast),
        *_of_workers(config, forecast),
    ]


def _of_time(config: StudyConfig, forecast: Forecast) -> Iterator[str]:
    cost = forecast.cost
    if cost is None:
        yield f"no epoch was timed here ({forecast.problem}), so there are no hours"
        return
    epoch, timeout = cost.epoch_seconds.middle, config.resources.epoch_timeout
    if timeout != "none" and timeout < epoch:
        yield (
            f"an epoch takes {clock(epoch)} and resources.epoch_timeout is {timeout:g} s: every "
            "trial would fail; raise it, or say none"
        )
    hours, search = config.study.max_hours, cost.stages[0].seconds
    if hours != "none" and search.high >= 3600 * hours:
        yield (
            f"study.max_hours ends the search after {hours:g} h, before its last trial; the "
            "epochs are those of a search without it: raise it, or lower --num-trials"
        )
    if cost.seconds.middle > _LONG.total_seconds():
        yield (
            f"an epoch takes {clock(epoch)} on {_device(cost.device)}: this study takes "
            f"{clock(cost.seconds.middle)}; use a faster device, or lower --num-trials, "
            "study.max_epochs, data.num_train or train.channels"
        )


def _of_the_machine(config: StudyConfig, forecast: Forecast) -> Iterator[str]:
    machine, cost = forecast.machine, forecast.cost
    if forecast.num_parameters >= _FULL_SIZE and not machine.gpus and cost is not None:
        yield (
            f"no GPU for a network of {forecast.num_parameters:,} parameters: an epoch takes "
            f"{clock(cost.epoch_seconds.middle)}; search_spaces/cpu.yaml has a network for CPUs"
        )
    if cost is not None and machine.load > _BUSY * machine.cores:
        yield (
            f"others kept this machine busy (load {machine.load:.1f}, {machine.cores} cores): the "
            "hours are those of a busy one; plan again when it is quiet"
        )
    if machine.free_bytes < forecast.disk_bytes:
        yield (
            f"not enough space: {machine.free_bytes // _MB} MB free, "
            f"{-(-forecast.disk_bytes // _MB)} MB needed; the search would not start: free space, "
            "or name a folder on another disk with --results"
        )


def _of_workers(config: StudyConfig, forecast: Forecast) -> Iterator[str]:
    workers, num_trials = forecast.machine.workers, config.study.num_trials
    most = max(1, num_trials // _LEAST_ROUNDS)
    # Uniform draws and a Sobol sequence learn from nothing, so they lose nothing.
    if modeller(config, num_trials - 1) in ("tpe", "gp") and workers > most:
        yield (
            f"{workers} at once are more than a quarter of {num_trials} trials: suggestions that "
            "are asked for together know nothing of each other's results; --max-concurrent "
            f"{most}, or --num-trials {_LEAST_ROUNDS * workers}"
        )
    whole = max(workers, config.pruner.num_exempt)
    if config.pruner.is_auto and 2 * whole >= num_trials:
        yield (
            f"rungs: auto comes late: by its choice {min(whole, num_trials)} of {num_trials} "
            "trials have run whole; fewer with --max-concurrent or pruner.num_exempt, or "
            "rungs: fixed"
        )


def _device(device: str) -> str:
    return "this CPU" if device == "cpu" else f"this GPU ({device.removeprefix('cuda ')})"


def clock(seconds: float) -> str:
    """Return a duration to two digits, in the unit that a person would take."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds / 86400)} days"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"
