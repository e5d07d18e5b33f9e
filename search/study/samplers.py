"""Samplers by name, each fresh for one suggestion: nothing random must be saved."""

import hashlib

import optuna

from search.study.space import SamplerConfig


def derived_seed(*parts: int) -> int:
    """Return a seed in [0, 2**31) that depends on all parts: the same in any process."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def make_sampler(config: SamplerConfig, *, seed: int) -> optuna.samplers.BaseSampler:
    """Return a new sampler; with the study's history it alone determines the next suggestion.

    TPE is left at Optuna 5's defaults: multivariate, and it keeps away from running trials
    (constant liar), which is what parallel trials need.

    Source: Bergstra et al. 2011, NeurIPS, section 4; Watanabe 2023, https://arxiv.org/abs/2304.11127.
    """
    if config.name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=config.num_startup)
