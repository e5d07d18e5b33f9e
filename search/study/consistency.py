"""The rules of a study file that hold between its sections; each yields what breaks it."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from search.study.names import NAME_RULE, did_you_mean, is_name
from search.study.overrides import override_problems
from search.study.records import TRIAL_COLUMNS
from search.study.searchable import SEARCHABLE, name_rule, value_rule
from seresnet.config import TrainConfig

if TYPE_CHECKING:  # which checks itself by these rules
    from search.study.space import StudyConfig

SET_BY_TRIAL = {
    "train.epochs": "left to study.max_epochs and retrain.epochs",
    "train.seed": "left to study.seed and retrain.seeds",
}
"""Settings of `train` that only a trial or a retraining may set."""


def problems_of(config: "StudyConfig") -> list[str]:
    """Return a line `<dotted key>: <rule>, got <value>` for each rule broken."""
    return [
        *_space_problems(config), *_recipe_problems(config), *_warmup_problems(config),
        *_total_problems(config), *_epochs_problems(config), *_override_problems(config),
    ]  # fmt: skip


def longest_warmup(config: "StudyConfig") -> tuple[str, float]:
    """Return the longest warm-up that a trial may have, in epochs, and the key that sets it."""
    if "warmup_epochs" in config.space:
        return "space.warmup_epochs.high", config.space["warmup_epochs"].high
    return "train.warmup_epochs", float(config.train.warmup_epochs)


def _space_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield what is wrong with the names and bounds of the space."""
    if not config.space:
        yield "space: must name at least one hyperparameter, got none"
    for name, domain in config.space.items():
        if rule := name_rule(name) if config.is_seresnet else _foreign_name_rule(name):
            yield f"space.{name}: {rule}"
            continue
        if config.is_seresnet and domain.integer:
            yield f"space.{name}.integer: must be left out, the field of TrainConfig says it"
        for end, value in (("low", domain.low), ("high", domain.high)):
            if rule := _broken_rule(config, name, value):
                yield f"space.{name}.{end}: {rule}"


def _foreign_name_rule(name: str) -> str:
    """Return what is wrong with the name of another trainable's hyperparameter, or nothing."""
    if name in TRIAL_COLUMNS:
        return "must have another name, the tables have a column of that one"
    return "" if name.isidentifier() else f"must be a name as in Python, got {name!a}"


def _broken_rule(config: "StudyConfig", name: str, value: float) -> str:
    """Return what is wrong with one value of a hyperparameter, or nothing."""
    if config.is_integer(name) and value != int(value):
        return f"must be a whole number, got {value}"
    if not config.is_seresnet:
        return ""
    return value_rule(name, value, max_epochs=config.study.max_epochs)


def _recipe_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield what is wrong with the baseline, the recipes and their names."""
    yield from _point_problems(config, "baseline", config.baseline)
    for name, params in config.recipes.items():
        if not is_name(name):
            yield f"recipes.{name}: name {NAME_RULE}, got {name!a}"
        elif name == "baseline":
            yield "recipes.baseline: name must not be taken, trial 0 has it, got baseline"
        yield from _point_problems(config, f"recipes.{name}", params)


def _point_problems(config: "StudyConfig", where: str, params: dict[str, float]) -> Iterator[str]:
    """Yield what is wrong with one point of the space."""
    # a name misspelt in the space would be complained of again at every point
    if all(_is_known(config, name) for name in config.space):
        for name in [name for name in config.space if name not in params]:
            yield f"{where}.{name}: must be given, because space.{name} is searched"
        for name in [name for name in params if name not in config.space]:
            rule = f"must be a key of space{did_you_mean(name, config.space)}"
            yield f"{where}.{name}: {rule}\nhint: remove it, or search it in `space` too"
    for name in [name for name in params if name in config.space]:
        domain, value = config.space[name], params[name]
        if value not in domain:
            yield f"{where}.{name}: must be in [{domain.low}, {domain.high}], got {value}"
        elif _is_known(config, name) and config.is_integer(name) and value != int(value):
            yield f"{where}.{name}: must be a whole number, got {value}"


def _is_known(config: "StudyConfig", name: str) -> bool:
    """Return whether a hyperparameter of the space is one that can be searched."""
    return not config.is_seresnet or name in SEARCHABLE


def _warmup_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield the lengths that lie inside the longest warm-up that a trial may draw."""
    if not config.is_seresnet:
        return
    key, longest = longest_warmup(config)
    study = config.study
    rule = f"must be > {longest:g}, the longest warm-up ({key})"
    if config.pruner.name == "asha" and study.min_epochs <= longest:
        # A first rung inside it would judge slow starters before they train.
        yield f"study.min_epochs: {rule}, got {study.min_epochs}"
        yield f"hint: raise study.min_epochs to {int(longest) + 1} or more, or lower {key}"
    elif study.max_epochs <= longest and "warmup_epochs" not in config.space:
        yield f"{key}: must be < study.max_epochs ({study.max_epochs}), got {longest:g}"
    for section, epochs in (("confirm", config.confirm.epochs), ("retrain", config.retrain.epochs)):
        if epochs != "auto" and epochs <= longest:
            yield f"{section}.epochs: {rule}, got {epochs}"


def _epochs_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield why the epochs would not pay for the trials that are to run whole."""
    limit, max_epochs = config.study.max_total_epochs, config.study.max_epochs
    whole, who = 1 + len(config.recipes), "baseline and recipes"
    if limit != "none" and limit < whole * max_epochs:
        rule = f"must be none or >= {whole * max_epochs} ({whole} x {max_epochs}), {who} whole"
        yield f"study.max_total_epochs: {rule}, got {limit}"


def _override_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield what is wrong with the settings of the retraining alone."""
    # Beside epochs, which are complained of elsewhere, and params, which are within their rules.
    base = dataclasses.replace(config.train, epochs=max(1, config.retrain.epochs), warmup_epochs=0)
    for problem in override_problems(base, config.retrain.train, config.space):
        yield f"retrain.train.{problem}"


def _total_problems(config: "StudyConfig") -> Iterator[str]:
    """Yield what is wrong with the number of trials, and with what only a trial may set."""
    least = 1 + len(config.recipes)
    if config.study.num_trials < least:
        rule = f"must be >= {least}, the baseline and every recipe"
        yield f"study.num_trials: {rule}, got {config.study.num_trials}"
    for key, rule in SET_BY_TRIAL.items():
        name = key.removeprefix("train.")
        value = getattr(config.train, name)
        if value != getattr(TrainConfig(), name):
            yield f"{key}: must be {rule}, got {value}"
