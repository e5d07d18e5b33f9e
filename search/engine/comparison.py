"""Policies compared: the same curves, seeds and budget for each, many simulated searches a row."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from search.engine.virtual import Curves, Outcome, simulate
from search.study.policies import Policy, with_budget
from search.study.space import StudyConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one policy comes to on one family with so many workers: means over seeds."""

    curves: str
    policy: str
    workers: int
    seeds: int
    regret: float
    """What the chosen setting lacks to the best there is; fraction."""
    regret_error: float | None
    """Standard error of `regret`; fraction, None with one seed."""
    regret_of_tried: float
    """What the best setting that was tried lacks; fraction."""
    best_survived: float
    """Share of the seeds in which the best setting that was tried was trained to the end."""
    epochs: float
    trials: float
    """Begun."""
    complete: float
    stopped: float
    duration: float
    """Virtual time; about one unit an epoch."""
    utilisation: float
    """Share of the workers' time in which they had a trial."""


def compare(
    config: StudyConfig,
    curves: Mapping[str, Curves],
    policies: Sequence[Policy],
    *,
    workers: Sequence[int],
    num_seeds: int,
    max_total_epochs: int | None = None,
    observe: Callable[[int, int], object] = lambda done, total: None,
) -> list[Row]:
    """Return a row for each family, policy and number of workers, in this order.

    Args:
        config: the study; its seed is the first of the seeds.
        curves: by name.
        policies: each takes the place of the study's own sampler and rungs.
        workers: trials at once.
        num_seeds: searches a row; >= 1.
        max_total_epochs: epochs of one search, which then has as many trials as they pay for; None
            keeps the study's own limits.
        observe: called with (searches done, searches in all).

    Raises:
        ConfigError: a policy has no meaning for this study.
    """
    studies = [_funded(config, policy, max_total_epochs) for policy in policies]
    settings = list(itertools.product(curves, zip(policies, studies, strict=True), workers))
    rows: list[Row] = []
    for name, (policy, study), num_workers in settings:
        outcomes = []
        for k in range(num_seeds):
            outcome = simulate(
                study,
                curves[name],
                workers=num_workers,
                seed=(config.study.seed + k) % 2**32,
            )
            outcomes.append(outcome)
            observe(len(rows) * num_seeds + k + 1, len(settings) * num_seeds)
        rows.append(summarise(outcomes, curves=name, policy=policy.name, workers=num_workers))
    return rows


def summarise(outcomes: Sequence[Outcome], *, curves: str, policy: str, workers: int) -> Row:
    """Return the means of searches that differ in their seed alone."""
    regrets = [outcome.regret for outcome in outcomes]
    return Row(
        curves=curves,
        policy=policy,
        workers=workers,
        seeds=len(outcomes),
        regret=_mean(regrets),
        regret_error=standard_error(regrets),
        regret_of_tried=_mean([o.regret_of_suggested for o in outcomes]),
        best_survived=_mean([o.best_survived for o in outcomes]),
        epochs=_mean([o.epochs for o in outcomes]),
        trials=_mean([len(o.trials) for o in outcomes]),
        complete=_mean([o.states["COMPLETE"] for o in outcomes]),
        stopped=_mean([o.states["PRUNED"] for o in outcomes]),
        duration=_mean([o.duration for o in outcomes]),
        utilisation=_mean([o.utilisation for o in outcomes]),
    )


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None of fewer than two values."""
    if len(values) < 2:
        return None
    mean = _mean(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


def _funded(config: StudyConfig, policy: Policy, max_total_epochs: int | None) -> StudyConfig:
    """Return the study under a policy, with its epochs, or with trials enough for those given."""
    study = policy.applied(config)
    if max_total_epochs is None:
        own = study.study.max_total_epochs
        total = own if own == "none" else own * policy.times
        num_trials = study.study.num_trials * policy.times
        return with_budget(study, num_trials=num_trials, max_total_epochs=total)
    # Each trial takes an epoch at least, so the epochs are spent before the trials are.
    total = max_total_epochs * policy.times
    return with_budget(study, num_trials=total, max_total_epochs=total)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
