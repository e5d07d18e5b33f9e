"""What a study is: its file as a whole, and the rules that hold between sections."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.study.config import dump, load
from search.study.names import NAME_RULE, did_you_mean, is_name
from search.study.overrides import overridden, override_problems
from search.study.records import TRIAL_COLUMNS
from search.study.searchable import SEARCHABLE, as_fields, is_integer, name_rule, value_rule
from search.study.sections import (
    Budget,
    DataConfig,
    Domain,
    PrunerConfig,
    Resources,
    RetrainConfig,
    SamplerConfig,
    refuse,
)
from seresnet.config import TrainConfig
from seresnet.errors import ConfigError

__all__ = [
    "SEARCHABLE", "Budget", "DataConfig", "Domain", "PrunerConfig", "Resources",
    "RetrainConfig", "SamplerConfig", "StudyConfig", "changed_keys", "dump_study",
    "load_study",
]  # fmt: skip

SERESNET = "seresnet"
"""The trainable of a study file; `search.api` takes others."""
_SET_BY_TRIAL = {
    "train.epochs": "left to study.max_epochs and retrain.epochs",
    "train.seed": "left to study.seed and retrain.seeds",
}
_MAY_CHANGE = ("study.num_trials", "study.max_failed", "resources.", "retrain.")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """A whole study file, its defaults filled in.

    With another trainable than the SE-ResNet `data`, `train` and `retrain` say nothing.

    Raises:
        ValueError: a line `<dotted key>: <rule>, got <value>` for each rule broken.
    """

    study: Budget
    """How much is tried, and for how long."""
    data: DataConfig = field(default_factory=DataConfig)
    """What trials train and are judged on."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """What all trials share; its epochs and seed are set trial by trial."""
    space: dict[str, Domain]
    """Hyperparameter to domain, at least one; of the SE-ResNet numeric fields of TrainConfig."""
    baseline: dict[str, float]
    """Trial 0: a value for each key of `space`, inside its domain."""
    recipes: dict[str, dict[str, float]] = field(default_factory=dict)
    """Name to known settings, like `baseline`, which run after it."""
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """Who suggests what to try."""
    pruner: PrunerConfig = field(default_factory=PrunerConfig)
    """Who stops weak trials early."""
    resources: Resources = field(default_factory=Resources)
    """What one trial is granted."""
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    """How the winner is trained to completion."""
    trainable: str = SERESNET
    """What is searched: the SE-ResNet, or the name of a function that `search.api` was given."""

    def __post_init__(self) -> None:
        problems = [
            *_space_problems(self), *_recipe_problems(self), *_warmup_problems(self),
            *_total_problems(self), *_exempt_problems(self), *_override_problems(self),
        ]  # fmt: skip
        refuse(*((True, problem) for problem in problems))

    def trial_config(self, params: Mapping[str, float], *, epochs: int, seed: int) -> TrainConfig:
        """Return the settings of one run: `train` with the sampled values laid over it."""
        return dataclasses.replace(self.train, epochs=epochs, seed=seed, **as_fields(params))

    def retrain_config(self, params: Mapping[str, float], *, seed: int) -> TrainConfig:
        """Return the settings with which a trial's params are trained to completion."""
        config = self.trial_config(params, epochs=self.retrain.epochs, seed=seed)
        return overridden(config, self.retrain.train)

    @property
    def is_seresnet(self) -> bool:
        """Whether SE-ResNets are searched."""
        return self.trainable == SERESNET

    def is_integer(self, name: str) -> bool:
        """Return whether a hyperparameter takes integers: as its field does, or its domain says."""
        return is_integer(name) if self.is_seresnet else self.space[name].integer


def load_study(path: Path, overrides: Mapping[str, object] | None = None) -> StudyConfig:
    """Return the study of a file.

    Args:
        path: the study file, YAML.
        overrides: dotted key to value, from flags; a complaint about one names its flag.

    Raises:
        ConfigError: a line `<file>:<line>: <key>: <rule>, got <value>` for every problem found; or
            the study is of another trainable.
    """
    config = load(path, StudyConfig, overrides=overrides or {}, refused=_SET_BY_TRIAL)
    if not config.is_seresnet:
        raise ConfigError(
            f"{path}: trainable: must be left to search.api, which is given the function itself, "
            f"got {config.trainable}",
            "run the program that made this study again",
        )
    return config


def dump_study(config: StudyConfig) -> str:
    """Return the resolved study file; it loads back equal."""
    return dump(_plain(config))


def changed_keys(old: StudyConfig, new: StudyConfig) -> list[str]:
    """Return a line `<dotted key>: <old> -> <new>` for each change that a study cannot survive.

    More trials, other resources and another retraining leave what was searched as it is.
    """
    before, after = dict(_leaves(_plain(old))), dict(_leaves(_plain(new)))
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key, "absent") != after.get(key, "absent") and not key.startswith(_MAY_CHANGE)
    ]


def _plain(config: StudyConfig) -> dict[str, Any]:
    """Return the study as mappings, without what a file may not set, whole numbers as integers."""
    plain = dataclasses.asdict(config)
    for key in _SET_BY_TRIAL:
        del plain["train"][key.removeprefix("train.")]
    for domain in plain["space"].values():
        if not domain["integer"]:
            del domain["integer"]
    for name in ("trainable",) if config.is_seresnet else ("data", "train", "retrain"):
        del plain[name]
    points = [plain["baseline"], *plain["recipes"].values()]
    for name in filter(config.is_integer, config.space):
        bounds = plain["space"][name]
        bounds["low"], bounds["high"] = int(bounds["low"]), int(bounds["high"])
        for point in points:
            point[name] = int(point[name])
    return plain


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield each dotted key with its value; an empty mapping has none."""
    if not isinstance(value, dict):
        yield key, value
        return
    for name, child in value.items():
        yield from _leaves(child, f"{key}.{name}" if key else name)


def _space_problems(config: StudyConfig) -> Iterator[str]:
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


def _broken_rule(config: StudyConfig, name: str, value: float) -> str:
    """Return what is wrong with one value of a hyperparameter, or nothing."""
    if config.is_integer(name) and value != int(value):
        return f"must be a whole number, got {value}"
    if not config.is_seresnet:
        return ""
    return value_rule(name, value, max_epochs=config.study.max_epochs)


def _recipe_problems(config: StudyConfig) -> Iterator[str]:
    """Yield what is wrong with the baseline, the recipes and their names."""
    yield from _point_problems(config, "baseline", config.baseline)
    for name, params in config.recipes.items():
        if not is_name(name):
            yield f"recipes.{name}: name {NAME_RULE}, got {name!a}"
        elif name == "baseline":
            yield "recipes.baseline: name must not be taken, trial 0 has it, got baseline"
        yield from _point_problems(config, f"recipes.{name}", params)


def _point_problems(config: StudyConfig, where: str, params: dict[str, float]) -> Iterator[str]:
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


def _is_known(config: StudyConfig, name: str) -> bool:
    """Return whether a hyperparameter of the space is one that can be searched."""
    return not config.is_seresnet or name in SEARCHABLE


def _warmup_problems(config: StudyConfig) -> Iterator[str]:
    """Yield the lengths that lie inside the longest warm-up that a trial may draw."""
    if not config.is_seresnet:
        return
    key, longest = "train.warmup_epochs", float(config.train.warmup_epochs)
    if "warmup_epochs" in config.space:
        key, longest = "space.warmup_epochs.high", config.space["warmup_epochs"].high
    study = config.study
    rule = f"must be > {longest:g}, the longest warm-up ({key})"
    if config.pruner.name == "asha" and study.min_epochs <= longest:
        # A first rung inside it would judge slow starters before they train.
        yield f"study.min_epochs: {rule}, got {study.min_epochs}"
        yield f"hint: raise study.min_epochs to {int(longest) + 1} or more, or lower {key}"
    elif study.max_epochs <= longest and "warmup_epochs" not in config.space:
        yield f"{key}: must be < study.max_epochs ({study.max_epochs}), got {longest:g}"
    if config.retrain.epochs <= longest:
        yield f"retrain.epochs: {rule}, got {config.retrain.epochs}"


def _override_problems(config: StudyConfig) -> Iterator[str]:
    """Yield what is wrong with the settings of the retraining alone."""
    # Beside epochs, which are complained of elsewhere, and params, which are within their rules.
    base = dataclasses.replace(config.train, epochs=max(1, config.retrain.epochs), warmup_epochs=0)
    for problem in override_problems(base, config.retrain.train, config.space):
        yield f"retrain.train.{problem}"


def _exempt_problems(config: StudyConfig) -> Iterator[str]:
    """Yield why the exempt trials could not tell where stopping may begin."""
    num_exempt, sampler = config.pruner.num_exempt, config.sampler
    if not config.pruner.is_auto:
        return
    if num_exempt >= config.study.num_trials:
        rule = f"must be < study.num_trials ({config.study.num_trials})"
        yield f"pruner.num_exempt: {rule}, or none is left to be stopped, got {num_exempt}"
    if sampler.name in ("tpe", "gp") and sampler.num_startup < num_exempt:
        # Trials that a model chose are alike, and their ranks say little of the others'.
        rule = f"must be >= pruner.num_exempt ({num_exempt}), which are to be random trials"
        yield f"sampler.num_startup: {rule}, got {sampler.num_startup}"


def _total_problems(config: StudyConfig) -> Iterator[str]:
    """Yield what is wrong with the number of trials, and with what only a trial may set."""
    least = 1 + len(config.recipes)
    if config.study.num_trials < least:
        rule = f"must be >= {least}, the baseline and every recipe"
        yield f"study.num_trials: {rule}, got {config.study.num_trials}"
    for key, rule in _SET_BY_TRIAL.items():
        name = key.removeprefix("train.")
        value = getattr(config.train, name)
        if value != getattr(TrainConfig(), name):
            yield f"{key}: must be {rule}, got {value}"
