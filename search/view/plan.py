"""A plan in a few lines, each a comment, so that they may follow the study file they are about."""

from collections.abc import Callable

from search.study.caveats import clock
from search.study.forecast import Cost, Forecast, Machine, Range, Simulated
from search.study.modeller import describe_modeller, modeller
from search.study.rules import Rules
from search.study.space import Budget, StudyConfig
from search.view.table import aligned

_MB = 10**6
_Show = Callable[[float], str]


def describe_study(config: StudyConfig) -> str:
    """Return a study's sampler, its rungs and the most epochs it can cost."""
    budget, retrain = config.study, config.retrain
    rules = Rules(config)
    chosen, sampler = rules.describe_choice([]), describe_modeller(config)
    stops = ", ".join(str(epoch) for epoch in rules.rungs)
    again = len(retrain.seeds) * retrain.epochs
    stopped = f"# trials may be stopped after epochs: {stops or 'none'}"
    lines = [
        *([f"# sampler: {sampler}"] if sampler else []),
        f"# rungs: {chosen}" if chosen else stopped,
        f"# search: at most {_describe_most(budget)}",
        *_describe_confirmation(config),
        f"# retrain: {again} epochs ({len(retrain.seeds)} seeds x {retrain.epochs})",
    ]
    return "\n".join(lines)


def _describe_confirmation(config: StudyConfig) -> list[str]:
    confirm = config.confirm
    if not confirm.top:
        return []
    num = (confirm.top + 1) * len(confirm.seeds)
    epochs = num * config.confirm_epochs
    return [f"# confirm: at most {epochs} epochs ({num} runs x {config.confirm_epochs})"]


def _describe_most(budget: Budget) -> str:
    """Return the most epochs, and hours, that a search can take."""
    most = budget.num_trials * budget.max_epochs
    limit = most if budget.max_total_epochs == "none" else min(most, budget.max_total_epochs)
    of = f"{budget.num_trials} x {budget.max_epochs}{f' are {most}' if limit < most else ''}"
    hours = "" if budget.max_hours == "none" else f", {budget.max_hours:g} hours"
    return f"{limit} epochs ({of}){hours}"


def describe_plan(
    config: StudyConfig, forecast: Forecast, *, price: float | None, is_elsewhere: bool
) -> str:
    """Return what a study will cost.

    Args:
        config: the study.
        forecast: of it.
        price: of a GPU for an hour, in any currency; none where nobody asked.
        is_elsewhere: whether the study is to run on a cluster, of which nothing is known here.
    """
    place = "this machine, not of the cluster at --address" if is_elsewhere else "this machine"
    lines = [f"the plan, of {place}: {_describe_machine(forecast.machine)}"]
    if forecast.cost is not None:
        lines.append(_describe_epoch(forecast.cost, forecast.machine))
    lines.append(f"first: {_describe_first(config)}")
    lines += _describe_simulated(forecast.simulated)
    lines += [f"  {line}" for line in aligned(_rows(config, forecast, price))]
    if price is not None and not forecast.machine.gpus:
        lines.append("money: none, since no GPU is held here")
    needed, free = -(-forecast.disk_bytes // _MB), forecast.machine.free_bytes // _MB
    lines.append(f"disk: {needed:,} MB asked for, {free:,} MB free")
    return "\n".join(f"# {line}" for line in lines)


def _describe_machine(machine: Machine) -> str:
    on = f"{machine.gpus:g} GPU" if machine.gpus else _threads(machine.threads)
    text = f"{machine.name}, {machine.workers} at once with {on} each"
    more = "; how many trials share a GPU is measured at the first start, which may be faster"
    return text + (more if machine.is_packing_open else "")


def _describe_epoch(cost: Cost, machine: Machine) -> str:
    seconds = cost.epoch_seconds
    beside = f", {machine.workers} at once" if machine.workers > 1 else ""
    return (
        f"an epoch of a trial: {clock(seconds.middle)} ({clock(seconds.low)} to "
        f"{clock(seconds.high)}), timed on {cost.device} in {cost.dtype}{beside}"
    )


def _describe_first(config: StudyConfig) -> str:
    """Return which trials run first."""
    known = ["baseline", *config.recipes]
    rest = config.study.num_trials - len(known)
    drawn = max(0, min(rest, config.sampler.num_startup - len(known)))
    text = f"{', '.join(known)} (never stopped)"
    name = modeller(config, config.study.num_trials - 1)
    if name in ("tpe", "gp"):
        text += f", then at least {drawn} at random" if drawn else ""
    return text + (f", then what {name} suggests" if rest > drawn else "")


def _describe_simulated(simulated: Simulated) -> list[str]:
    """Return what the numbers of the table are."""
    return [
        f"simulated {simulated.num_searches} times, suggestions by {simulated.sampler}, curves of "
        f"{', '.join(simulated.curves)};",
        "one case in ten lies below the first number, one above the last:",
    ]


def _rows(config: StudyConfig, forecast: Forecast, price: float | None) -> list[list[str]]:
    simulated, cost, budget = forecast.simulated, forecast.cost, config.study
    rows = [["", "10%", "median", "90%", ""]]
    rows += [_row(f"stopped at epoch {at}", share, _percent) for at, share in simulated.stopped]
    rows.append(_row("complete", simulated.complete, _percent))
    full = f"of {budget.num_trials * budget.max_epochs} without stopping"
    rows.append(_row("epochs", simulated.epochs, _count, full))
    if cost is None:
        return rows
    rows += [_row(stage.name, stage.seconds, clock) for stage in cost.stages]
    rows.append(_row("whole command", cost.seconds, clock))
    if cost.gpu_hours is not None:
        rows.append(_row("GPU-hours", cost.gpu_hours, _amount))
    if price is not None and cost.gpu_hours is not None:
        rows.append(_row("money", cost.gpu_hours.times(price), _amount, f"at {price:g} an hour"))
    return rows


def _row(name: str, values: Range, show: _Show, note: str = "") -> list[str]:
    return [name, *(show(value) for value in (values.low, values.middle, values.high)), note]


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def _amount(value: float) -> str:
    return f"{value:,.2f}"


def _threads(num: int) -> str:
    return f"{num} thread{'s' if num > 1 else ''}"
