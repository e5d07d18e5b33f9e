"""What `--dry-run` does: time a few epochs here, simulate the study, print what it will cost."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from search.engine.grants import Grant, Node
    from search.engine.planning import Sizes
    from search.engine.virtual import Curves
    from search.study.forecast import Forecast, Machine, Timing
    from search.study.space import StudyConfig

_TIMING_SECONDS = 5.0  # of trials, and again of retrainings where they run otherwise


def add_options(parser: ArgumentParser) -> None:
    """Add the options of a plan."""
    add = parser.add_argument
    add("--dry-run", action="store_true", help="show the resolved study and its cost, then stop")
    add("--price-per-gpu-hour", type=float, metavar="F", help="for --dry-run: show money too")
    add("--curves", metavar="FILE", help="for --dry-run: a study's epochs.csv to simulate with")


def refuse_flags(arguments: Namespace) -> None:
    """Refuse what belongs to a plan where none is made, and a price that is none.

    Raises:
        ConfigError: the flag is named.
    """
    from math import isfinite

    from seresnet.errors import ConfigError

    price = arguments.price_per_gpu_hour
    for flag, value in (("--price-per-gpu-hour", price), ("--curves", arguments.curves)):
        if value is not None and not arguments.dry_run:
            raise ConfigError(f"{flag}: must stand beside --dry-run", "add --dry-run, or drop it")
    if arguments.dry_run and arguments.format != "table":
        rule = "must not stand beside --dry-run, which prints a study file"
        raise ConfigError(f"--format: {rule}", "drop --format")
    if price is not None and not (isfinite(price) and price >= 0):
        raise ConfigError(f"--price-per-gpu-hour: must be >= 0, got {price:g}", "give a price")


def show(config: "StudyConfig", folder: Path, arguments: Namespace) -> None:
    """Print the resolved study file, its rungs, the most it can cost, and what it will cost."""
    from search.study.caveats import caveats
    from search.study.space import dump_study
    from search.view.plan import describe_plan, describe_study

    curves = _curves(config, arguments.curves)  # a table that does not fit is told at once
    cli.output(f"{dump_study(config)}{describe_study(config)}")
    forecast = _forecast(config, folder, curves, wants_retraining=not arguments.no_retrain)
    price, is_elsewhere = arguments.price_per_gpu_hour, arguments.address is not None
    cli.output(describe_plan(config, forecast, price=price, is_elsewhere=is_elsewhere))
    for line in caveats(config, forecast):
        cli.output(f"# warning: {line}")


def _forecast(
    config: "StudyConfig", folder: Path, curves: "dict[str, Curves]", *, wants_retraining: bool
) -> "Forecast":
    """Time this machine, then simulate the study as many at once as would run here."""
    from search.engine.grants import Grant, grant_on, widen_on
    from search.engine.planning import cost_of, simulate_study, summarise
    from search.engine.timing import TimingError
    from search.study.disk import checkpoint_bytes
    from search.study.errors import MachineError
    from search.study.forecast import Forecast
    from search.view.bar import progress_bar

    nodes, sizes = [_this_machine()], _sizes(config)
    problem, timing, retrainings = "", None, None
    load, _, _ = os.getloadavg()  # before our own trainings are part of it
    try:
        granted = grant_on(nodes, config.resources)
        trials = _bounded(granted, config.study.num_trials)
        if wants_retraining:
            num_jobs = len(config.retrain.seeds)
            retrainings = _bounded(widen_on(nodes, granted, num_jobs), num_jobs)
        timing = _timing(config, sizes, trials, retrainings)
    except MachineError as error:  # it may be meant for another: the rest can be told all the same
        most = config.resources.max_concurrent
        trials = _bounded(Grant(1, 0, 1 if most == "auto" else most), config.study.num_trials)
        problem = error.message
    except TimingError as error:
        problem = str(error)
    with progress_bar("simulating") as advance:
        outcomes, sampler = simulate_study(config, curves, workers=trials.slots, observe=advance)
    cost = None
    if timing is not None:
        cost = cost_of(config, outcomes, timing, sizes, trials=trials, retrainings=retrainings)
    return Forecast(
        machine=_machine(config, folder, trials, load),
        num_parameters=sizes.num_parameters,
        disk_bytes=checkpoint_bytes(sizes.num_parameters, trials.slots),
        simulated=summarise(outcomes, curves=list(curves), sampler=sampler),
        cost=cost,
        problem=problem,
    )


def _curves(config: "StudyConfig", path: str | None) -> "dict[str, Curves]":
    """Return the curves to simulate with: a table's, or those of the families.

    Raises:
        UserError: the table does not fit the study.
    """
    from search.engine.planning import FAMILIES
    from search.engine.recorded import named_curves

    names = FAMILIES if path is None else (path,)
    return {name: named_curves(name, config) for name in names}


def _this_machine() -> "Node":
    """Return what this machine has, as Ray will see it."""
    import torch

    return {"CPU": _cores(), "GPU": torch.cuda.device_count()}


def _cores() -> int:
    return os.cpu_count() or 1


def _bounded(granted: "Grant", num: int) -> "Grant":
    """Return the grant with no more at once than there are."""
    from dataclasses import replace

    return replace(granted, slots=min(granted.slots, num))


def _sizes(config: "StudyConfig") -> "Sizes":
    from search.engine.planning import Sizes
    from search.study.dataset import sizes
    from seresnet.model import SEResNet, num_parameters

    num_train, num_val = sizes(config.data)
    size = num_parameters(SEResNet(channels=config.train.channels))
    return Sizes(num_train=num_train, num_val=num_val, num_parameters=size)


def _timing(
    config: "StudyConfig", sizes: "Sizes", trials: "Grant", retrainings: "Grant | None"
) -> "Timing":
    """Return how fast trials and retrainings are here; on GPUs on the first of them."""
    from search.engine.timing import time_trainings
    from search.engine.workload import shape_config

    crew = trials.crew
    threads = f"{crew.threads} thread{'s' if crew.threads > 1 else ''}"
    cli.note(f"timing {crew.processes} at once with {threads} each, then simulating the study")
    return time_trainings(
        shape_config(config),
        sizes.num_train,
        sizes.num_val,
        on_gpu=trials.gpus > 0,
        trials=crew,
        retrainings=crew if retrainings is None else retrainings.crew,
        seconds=_TIMING_SECONDS,
    )


def _machine(config: "StudyConfig", folder: Path, trials: "Grant", load: float) -> "Machine":
    from search.study.disk import free_bytes
    from search.study.forecast import Machine
    from search.study.provenance import hardware

    cores = _cores()
    return Machine(
        name=f"{cores} core{'s' if cores > 1 else ''} of {hardware()['processor']}",
        cores=cores,
        load=load,
        workers=trials.slots,
        threads=trials.threads,
        gpus=trials.gpus,
        is_packing_open=trials.gpus > 0 and config.resources.gpus_per_trial == "auto",
        free_bytes=free_bytes(folder),
    )
