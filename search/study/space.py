"""What a study is: its file as a whole."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from search.study.config import dump, load, loads
from search.study.consistency import SET_BY_TRIAL, longest_warmup, problems_of
from search.study.overrides import overridden
from search.study.searchable import SEARCHABLE, as_fields, is_integer
from search.study.sections import (
    Budget,
    ConfirmConfig,
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
from seresnet.errors import ConfigError

__all__ = [
    "SEARCHABLE", "Budget", "ConfirmConfig", "DataConfig", "Domain", "PrunerConfig",
    "Resources", "RetrainConfig", "SamplerConfig", "StudyConfig", "changed_keys",
    "dump_study", "load_resolved", "load_study", "loads_resolved", "longest_warmup",
]  # fmt: skip

SERESNET = "seresnet"
"""The trainable of a study file; `search.api` takes others."""
MAY_CHANGE = (
    "study.num_trials", "study.max_failed", "study.max_total_epochs", "study.max_hours",
    "resources.", "confirm.", "retrain.",
)  # fmt: skip
"""Keys, and sections, that may be other at a later start of the same study."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """A whole study file, its defaults filled in.

    With another trainable than the SE-ResNet `data`, `train`, `confirm` and `retrain` say nothing.

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
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    """How the best trials are compared with the baseline on fresh seeds."""
    retrain: RetrainConfig = field(default_factory=RetrainConfig)
    """How the winner is trained to completion."""
    trainable: str = SERESNET
    """What is searched: the SE-ResNet, or the name of a function that `search.api` was given."""

    def __post_init__(self) -> None:
        refuse(*((True, problem) for problem in problems_of(self)))

    def trial_config(self, params: Mapping[str, float], *, epochs: int, seed: int) -> TrainConfig:
        """Return the settings of one run: `train` with the sampled values laid over it."""
        return dataclasses.replace(self.train, epochs=epochs, seed=seed, **as_fields(params))

    @property
    def confirm_epochs(self) -> int:
        """Length of the confirmation's schedules; epochs."""
        epochs = self.confirm.epochs
        return self.study.max_epochs if epochs == "auto" else epochs

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
    config = load(path, StudyConfig, overrides=overrides or {}, refused=SET_BY_TRIAL)
    if not config.is_seresnet:
        raise ConfigError(
            f"{path}: trainable: must be left to search.api, which is given the function itself, "
            f"got {config.trainable}",
            "run the program that made this study again",
        )
    return config


def load_resolved(path: Path, overrides: Mapping[str, object] | None = None) -> StudyConfig:
    """Return the study of a file that a search has written into its folder, see `load_study`.

    Raises:
        ConfigError: a line `<file>:<line>: <key>: <rule>, got <value>` for every problem found.
    """
    return _as_it_meant(load_study(path, overrides), read_text(path))


def loads_resolved(text: str, *, name: str) -> StudyConfig:
    """Return stored settings; a key that they lack means what was done before there was such a key.

    Raises:
        ConfigError: as `load_resolved`.
    """
    return _as_it_meant(loads(text, StudyConfig, name=name, refused=SET_BY_TRIAL), text)


def _as_it_meant(config: StudyConfig, text: str) -> StudyConfig:
    """Return stored settings with the meaning that absent keys had when they were stored."""
    if "rungs" not in yaml.safe_load(text).get("pruner", {}):
        return dataclasses.replace(config, pruner=dataclasses.replace(config.pruner, rungs="fixed"))
    return config


def dump_study(config: StudyConfig) -> str:
    """Return the resolved study file; it loads back equal."""
    return dump(_plain(config))


def changed_keys(old: StudyConfig, new: StudyConfig) -> list[str]:
    """Return a line `<dotted key>: <old> -> <new>` for each change that a study cannot survive.

    More trials, other resources, another confirmation and another retraining leave what was
    searched as it is.
    """
    before, after = dict(_leaves(_plain(old))), dict(_leaves(_plain(new)))
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key, "absent") != after.get(key, "absent") and not key.startswith(MAY_CHANGE)
    ]


def differing_keys(configs: Sequence[StudyConfig]) -> dict[str, list[str]]:
    """Return each dotted key in which studies differ, with the value of each, or `absent`."""
    leaves = [dict(_leaves(_plain(config))) for config in configs]
    keys = dict.fromkeys(key for each in leaves for key in each)
    values = {key: [str(each.get(key, "absent")) for each in leaves] for key in keys}
    return {key: each for key, each in values.items() if len(set(each)) > 1}


def _plain(config: StudyConfig) -> dict[str, Any]:
    """Return the study as mappings, without what a file may not set, whole numbers as integers."""
    plain = dataclasses.asdict(config)
    for key in SET_BY_TRIAL:
        del plain["train"][key.removeprefix("train.")]
    for domain in plain["space"].values():
        if not domain["integer"]:
            del domain["integer"]
    for name in ("trainable",) if config.is_seresnet else ("data", "train", "confirm", "retrain"):
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
