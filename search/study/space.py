"""What a study is: its file as a whole, and the rules that hold between sections."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from search.study.config import dump, load, loads
from search.study.names import NAME_RULE, did_you_mean, is_name
from search.study.records import TRIAL_COLUMNS
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
from search.study.source import read_text
from seresnet.config import TrainConfig

__all__ = [
    "SEARCHABLE", "Budget", "DataConfig", "Domain", "PrunerConfig", "Resources",
    "RetrainConfig", "SamplerConfig", "StudyConfig", "changed_keys", "dump_study",
    "load_resolved", "load_study", "loads_resolved",
]  # fmt: skip

_KINDS = get_type_hints(TrainConfig)
SEARCHABLE = tuple(
    name for name, kind in _KINDS.items() if kind in (int, float) and name not in TRIAL_COLUMNS
)
_SET_BY_TRIAL = {
    "train.epochs": "left to study.max_epochs and retrain.epochs",
    "train.seed": "left to study.seed and retrain.seeds",
}
_MAY_CHANGE = (
    "study.num_trials", "study.max_failed", "study.max_total_epochs", "study.max_hours",
    "resources.", "retrain.",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """A whole study file, its defaults filled in.

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
    """Hyperparameter to domain; numeric fields of TrainConfig, at least one."""
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

    def __post_init__(self) -> None:
        problems = [
            *_space_problems(self), *_recipe_problems(self), *_warmup_problems(self),
            *_total_problems(self), *_epochs_problems(self),
        ]  # fmt: skip
        refuse(*((True, problem) for problem in problems))

    def trial_config(self, params: Mapping[str, float], *, epochs: int, seed: int) -> TrainConfig:
        """Return the settings of one run: `train` with the sampled values laid over it."""
        values: dict[str, Any] = {name: _KINDS[name](value) for name, value in params.items()}
        return dataclasses.replace(self.train, epochs=epochs, seed=seed, **values)

    @staticmethod
    def is_integer(name: str) -> bool:
        """Return whether a hyperparameter takes integers, because its field is an int."""
        return _KINDS[name] is int


def load_study(path: Path, overrides: Mapping[str, object] | None = None) -> StudyConfig:
    """Return the study of a file.

    Args:
        path: the study file, YAML.
        overrides: dotted key to value, from flags; a complaint about one names its flag.

    Raises:
        ConfigError: a line `<file>:<line>: <key>: <rule>, got <value>` for every problem found.
    """
    return load(path, StudyConfig, overrides=overrides or {}, refused=_SET_BY_TRIAL)


def load_resolved(path: Path) -> StudyConfig:
    """Return the study of a file that a search has written into its folder.

    Raises:
        ConfigError: a line `<file>:<line>: <key>: <rule>, got <value>` for every problem found.
    """
    return loads_resolved(read_text(path), name=str(path))


def loads_resolved(text: str, *, name: str) -> StudyConfig:
    """Return stored settings; a key that they lack means what was done before there was such a key.

    Raises:
        ConfigError: as `load_resolved`.
    """
    config = loads(text, StudyConfig, name=name, refused=_SET_BY_TRIAL)
    if "rungs" not in yaml.safe_load(text).get("pruner", {}):
        return dataclasses.replace(config, pruner=dataclasses.replace(config.pruner, rungs="fixed"))
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
        if name not in SEARCHABLE:
            rule = f"must be a numeric setting of TrainConfig{did_you_mean(name, SEARCHABLE)}"
            if name in ("epochs", "seed"):
                rule = "must not be searched, every trial is given its own"
            elif name in TRIAL_COLUMNS:
                rule = "must not be searched, the tables have a column of that name"
            yield f"space.{name}: {rule}\nhint: use one of {', '.join(SEARCHABLE)}"
            continue
        for end, value in (("low", domain.low), ("high", domain.high)):
            if rule := _broken_rule(name, value, config.study.max_epochs):
                yield f"space.{name}.{end}: {rule}"


def _broken_rule(name: str, value: float, max_epochs: int) -> str:
    """Return what TrainConfig has against one value, or nothing."""
    if StudyConfig.is_integer(name) and value != int(value):
        return f"must be a whole number, got {value}"
    values: dict[str, Any] = {"epochs": max_epochs, "warmup_epochs": 0}
    try:
        TrainConfig(**{**values, name: _KINDS[name](value)})
    except ValueError as error:
        return str(error).partition("\n")[0].removeprefix(f"{name}: ")
    return ""


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
    if all(name in SEARCHABLE for name in config.space):
        for name in [name for name in config.space if name not in params]:
            yield f"{where}.{name}: must be given, because space.{name} is searched"
        for name in [name for name in params if name not in config.space]:
            rule = f"must be a key of space{did_you_mean(name, config.space)}"
            yield f"{where}.{name}: {rule}\nhint: remove it, or search it in `space` too"
    for name in [name for name in params if name in config.space]:
        domain, value = config.space[name], params[name]
        if value not in domain:
            yield f"{where}.{name}: must be in [{domain.low}, {domain.high}], got {value}"
        elif name in SEARCHABLE and config.is_integer(name) and value != int(value):
            yield f"{where}.{name}: must be a whole number, got {value}"


def _warmup_problems(config: StudyConfig) -> Iterator[str]:
    """Yield the lengths that lie inside the longest warm-up that a trial may draw."""
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


def _epochs_problems(config: StudyConfig) -> Iterator[str]:
    """Yield why the epochs would not pay for the trials that are to run whole."""
    limit, max_epochs = config.study.max_total_epochs, config.study.max_epochs
    whole, who = 1 + len(config.recipes), "baseline and recipes"
    if limit != "none" and limit < whole * max_epochs:
        rule = f"must be none or >= {whole * max_epochs} ({whole} x {max_epochs}), {who} whole"
        yield f"study.max_total_epochs: {rule}, got {limit}"


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
