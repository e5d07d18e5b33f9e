"""Who suggests under `sampler: auto`: a Gaussian process while it is quick, then TPE."""

from typing import Literal

from search.study.space import StudyConfig

Sampler = Literal["tpe", "gp", "random", "qmc"]
MOST_TRIALS = 250
"""A Gaussian process over so many takes 0.2 to 0.5 s a suggestion, and grows with their square."""


def modeller(config: StudyConfig, number: int) -> Sampler:
    """Return who suggests a trial; a function of its number, so that a study may be extended.

    The limit is that of Optuna's AutoSampler. Exempt trials are not modelled: trials that a model
    chose are alike, and would say little of the others' curves.
    """
    name, pruner = config.sampler.name, config.pruner
    if name == "auto":
        name = "gp" if number < MOST_TRIALS else "tpe"
    is_exempt = pruner.is_auto and number < pruner.num_exempt
    return "random" if is_exempt and name in ("tpe", "gp") else name


def describe_modeller(config: StudyConfig) -> str:
    """Return what `auto` has chosen and why, for a person; nothing where a sampler is named."""
    if config.sampler.name != "auto":
        return ""
    num_trials, is_stopping = config.study.num_trials, config.pruner.name == "asha"
    told = "gp, which finds more than tpe in as few trials"
    if num_trials > MOST_TRIALS:
        told = f"gp for {MOST_TRIALS} of {num_trials} trials, then tpe, since gp would be slow"
    return told + ("; stopped trials count by their expected end" if is_stopping else "")
