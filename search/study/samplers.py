"""Samplers by name, each fresh for one suggestion: nothing random must be saved."""

import hashlib
from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial, TrialState

from search.study.modeller import modeller
from search.study.numeric_samplers import LearningGPSampler, SobolSampler
from search.study.space import StudyConfig


def hashed_seed(*parts: int) -> int:
    """Return a seed in [0, 2**31) that depends on all parts: the same in any process."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def make_sampler(config: StudyConfig, *, number: int) -> optuna.samplers.BaseSampler:
    """Return a new sampler; with the study's history it alone determines one suggestion.

    TPE is left at Optuna 5's defaults: multivariate, and it keeps away from running trials
    (constant liar), which is what parallel trials need.

    Optuna's GP models COMPLETE trials only: where trials are stopped early it never learns what was
    bad about the stopped ones, and proposes their like again. Ours is told what they were expected
    to become (`search.study.expected`).

    Args:
        config: the study's.
        number: of the trial.

    Source: Bergstra et al. 2011, NeurIPS, section 4; Watanabe 2023, https://arxiv.org/abs/2304.11127.
    """
    num_startup = config.sampler.num_startup
    seed = hashed_seed(config.study.seed, number)
    match modeller(config, number):
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case "qmc":
            # One scramble a study: its points are even because they are of one sequence.
            return SobolSampler(distributions(config), seed=hashed_seed(config.study.seed))
        case "gp":
            return LearningGPSampler(
                seed=seed, n_startup_trials=num_startup, warn_independent_sampling=False
            )
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=num_startup)


def distributions(config: StudyConfig) -> dict[str, BaseDistribution]:
    """Return the space in Optuna's terms; integer fields have integer distributions."""
    return {
        name: IntDistribution(int(d.low), int(d.high), log=d.log)
        if config.is_integer(name)
        else FloatDistribution(d.low, d.high, log=d.log)
        for name, d in config.space.items()
    }


def enqueue(study: optuna.Study, given: Mapping[str, float] | None) -> None:
    """Let given parameters wait to be asked for, unless an earlier start has chosen them."""
    if given is not None and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(dict(given))


def finish_asking(study: optuna.Study, trial: Trial, space: dict[str, BaseDistribution]) -> None:
    """Draw what is missing of a suggestion, with the study's sampler as at its beginning.

    `Study.ask` stores one value after the other, so a kill may leave some. Those are drawn once
    more and dropped: the ones after them come out as they would have.
    """
    frozen = study.get_trials(deepcopy=False)[trial.number]
    for name, domain in space.items():
        if name in frozen.params and name not in trial.relative_params and not domain.single():
            study.sampler.sample_independent(study, frozen, name, domain)
        elif isinstance(domain, IntDistribution):
            trial.suggest_int(name, domain.low, domain.high, log=domain.log)
        elif isinstance(domain, FloatDistribution):
            trial.suggest_float(name, domain.low, domain.high, log=domain.log)
