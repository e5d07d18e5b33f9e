"""What a study will cost, from simulated searches and timed epochs."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf

from search.engine.grants import Grant, per_gpu
from search.engine.virtual import MEAN_PACE, Curves, Outcome, simulate
from search.study.forecast import Cost, Pace, Simulated, Stage, Timing, range_of
from search.study.modeller import modeller
from search.study.policies import parse_policy
from search.study.space import StudyConfig

FAMILIES = ("crossing-none", "crossing-mild", "crossing-strong")
"""Of curves: nobody knows beforehand which are theirs."""
NUM_SEARCHES = 60
"""That are simulated, all families together."""
SIMULATING_SECONDS = 10.0
"""After which no further round over the families begins."""
_PATIENCE = 1.5  # times as long until the study's own sampler is given up for random draws
_RAY_SECONDS = 6.0  # the driver's imports, Ray's start and end; benchmarks/driver_2core_202611.md
_REPORT_SECONDS = 0.03  # of an epoch, from worker to study and back; there too
_CHECKPOINT_SECONDS = 0.03  # of an epoch, and for each byte; `checkpoint.save` on two busy cores
_CHECKPOINT_BYTES_PER_SECOND = 300e6
_BYTES_A_PARAMETER = 12  # weights, their average, momentum


class _TooSlowError(Exception):
    """A simulated search takes longer than anybody waits for a plan."""


def simulate_study(
    config: StudyConfig,
    curves: Mapping[str, Curves],
    *,
    workers: int,
    seconds: float = SIMULATING_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    observe: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[list[Outcome], str]:
    """Return simulated searches, as many of each family, and the name of their sampler.

    Args:
        config: the study; its seed is the first of the seeds.
        curves: by name.
        workers: trials at once.
        seconds: after which no further round over the families begins.
        clock: seconds that never go back.
        observe: called with (searches done, searches in all).
    """
    try:
        limit = clock() + _PATIENCE * seconds
        outcomes = _rounds(config, curves, workers, seconds, clock, observe, limit)
        return outcomes, modeller(config, config.study.num_trials - 1)
    except _TooSlowError:
        drawn = parse_policy("random").applied(config)
        return _rounds(drawn, curves, workers, seconds, clock, observe, None), "random"


def _rounds(
    config: StudyConfig,
    curves: Mapping[str, Curves],
    workers: int,
    seconds: float,
    clock: Callable[[], float],
    observe: Callable[[int, int], object],
    limit: float | None,
) -> list[Outcome]:
    """Return whole rounds over the families, one at least; at the limit without one, give up."""
    outcomes: list[Outcome] = []

    def watch(_epochs: int) -> None:
        if limit is not None and not outcomes and clock() > limit:
            raise _TooSlowError

    ends_at = clock() + seconds
    num_rounds = max(1, NUM_SEARCHES // len(curves))
    for k in range(num_rounds):
        seed = (config.study.seed + k) % 2**32
        made = []
        for each in curves.values():
            made.append(simulate(config, each, workers=workers, seed=seed, observe=watch))
            observe(len(outcomes) + len(made), num_rounds * len(curves))
        outcomes += made
        if clock() >= ends_at:
            break
    return outcomes


def summarise(outcomes: Sequence[Outcome], *, curves: Sequence[str], sampler: str) -> Simulated:
    """Return what simulated searches came to."""
    stops = [
        Counter(trial.epochs for trial in outcome.trials if trial.state == "PRUNED")
        for outcome in outcomes
    ]
    rungs = sorted({epoch for each in stops for epoch in each})
    sizes = [len(outcome.trials) for outcome in outcomes]
    return Simulated(
        num_searches=len(outcomes),
        curves=tuple(curves),
        sampler=sampler,
        epochs=range_of([outcome.epochs for outcome in outcomes]),
        stopped=tuple(
            (rung, range_of([each[rung] / n for each, n in zip(stops, sizes, strict=True)]))
            for rung in rungs
        ),
        complete=range_of([o.states["COMPLETE"] / n for o, n in zip(outcomes, sizes, strict=True)]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What is trained, and how much of it."""

    num_train: int
    """Images of a trial's epoch."""
    num_val: int
    """Images that a trial is judged by, and a retraining trains on too."""
    num_parameters: int
    """Of the network."""


def cost_of(
    config: StudyConfig,
    outcomes: Sequence[Outcome],
    timing: Timing,
    sizes: Sizes,
    *,
    trials: Grant,
    retrainings: Grant | None,
) -> Cost:
    """Return what the whole command takes: each search at each pace, all equally likely.

    A window's pace is taken for a whole search: what slows a machine lasts.

    Args:
        config: the study.
        outcomes: of simulated searches.
        timing: of this machine.
        sizes: of images and network.
        trials: what a trial is granted, and how many run at once.
        retrainings: the same of retrainings; None where there are none.
    """
    epochs = sorted(_epoch_seconds(pace, sizes) for pace in timing.trials)
    confirmed = config.confirm
    num_runs = (confirmed.top + 1) * len(confirmed.seeds) if confirmed.top else 0
    whole = sorted(_retrain_seconds(pace, sizes) for pace in timing.retrainings)
    stages: dict[str, list[float]] = {"search": []}
    most = inf if config.study.max_hours == "none" else 3600 * config.study.max_hours
    held = []
    for rank, epoch in enumerate(epochs):
        full = whole[rank * len(whole) // len(epochs)]  # slow for one is slow for the other
        for outcome in outcomes:
            whole_search = outcome.duration / MEAN_PACE * epoch
            search = min(whole_search, most)  # whoever trains then is paused, and goes on later
            stages["search"].append(_RAY_SECONDS + timing.start_seconds + search)
            held.append(outcome.epochs * epoch * _share(trials) * search / whole_search)
            if num_runs and retrainings is not None:  # --no-retrain leaves both out
                run = timing.start_seconds + config.confirm_epochs * epoch
                stages.setdefault("confirmation", []).append(ceil(num_runs / trials.slots) * run)
                held[-1] += num_runs * config.confirm_epochs * epoch * _share(trials)
            if retrainings is not None:
                seconds = _delivery_seconds(config, full, timing, retrainings)
                stages.setdefault("retraining", []).append(seconds)
                num = len(config.retrain.seeds) * config.retrain.epochs
                held[-1] += num * full * _share(retrainings)
    totals = [sum(parts) for parts in zip(*stages.values(), strict=True)]
    return Cost(
        device=timing.device,
        dtype=timing.dtype,
        epoch_seconds=range_of(epochs),
        stages=tuple(Stage(name=n, seconds=range_of(each)) for n, each in stages.items()),
        seconds=range_of(totals),
        gpu_hours=range_of(held).times(1 / 3600) if trials.gpus else None,
    )


def _delivery_seconds(
    config: StudyConfig, epoch_seconds: float, timing: Timing, granted: Grant
) -> float:
    """Return what retraining and labelling take: each a process of its own, in waves that fit."""
    waves = ceil(len(config.retrain.seeds) / granted.slots)
    wave = timing.start_seconds + config.retrain.epochs * epoch_seconds
    return waves * wave + timing.start_seconds


def _epoch_seconds(pace: Pace, sizes: Sizes) -> float:
    """Return what an epoch of a trial takes, until the next one begins."""
    computing = sizes.num_train * pace.train + sizes.num_val * pace.val
    return computing + _storing_seconds(sizes) + _REPORT_SECONDS


def _retrain_seconds(pace: Pace, sizes: Sizes) -> float:
    """Return what an epoch of a retraining takes: on all labelled images, judged by none."""
    return (sizes.num_train + sizes.num_val) * pace.train + _storing_seconds(sizes)


def _storing_seconds(sizes: Sizes) -> float:
    stored = sizes.num_parameters * _BYTES_A_PARAMETER
    return _CHECKPOINT_SECONDS + stored / _CHECKPOINT_BYTES_PER_SECOND


def _share(granted: Grant) -> float:
    """Return the share of a GPU that a process holds: what fits beside it counts, not the ask."""
    return 1 / per_gpu(granted.gpus) if granted.gpus else 0.0
