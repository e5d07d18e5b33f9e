"""Which settings of the SE-ResNet can be searched, and what they may be; no other trainable's."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from search.study.names import did_you_mean
from search.study.records import TRIAL_COLUMNS
from seresnet.config import TrainConfig

_KINDS = get_type_hints(TrainConfig)
SEARCHABLE = tuple(
    name for name, kind in _KINDS.items() if kind in (int, float) and name not in TRIAL_COLUMNS
)
"""The numeric fields of `TrainConfig` that no column of the tables is called after."""


def is_integer(name: str) -> bool:
    """Return whether a field of `TrainConfig` is an integer."""
    return _KINDS[name] is int


def as_fields(params: Mapping[str, float]) -> dict[str, Any]:
    """Return sampled values as the types of their fields."""
    return {name: _KINDS[name](value) for name, value in params.items()}


def name_rule(name: str) -> str:
    """Return why a hyperparameter of this name cannot be searched, with a hint, or nothing."""
    if name in SEARCHABLE:
        return ""
    rule = f"must be a numeric setting of TrainConfig{did_you_mean(name, SEARCHABLE)}"
    if name in ("epochs", "seed"):
        rule = "must not be searched, every trial is given its own"
    elif name in TRIAL_COLUMNS:
        rule = "must not be searched, the tables have a column of that name"
    return f"{rule}\nhint: use one of {', '.join(SEARCHABLE)}"


def value_rule(name: str, value: float, *, max_epochs: int) -> str:
    """Return what `TrainConfig` has against one value of a field, or nothing."""
    values: dict[str, Any] = {"epochs": max_epochs, "warmup_epochs": 0}
    try:
        TrainConfig(**{**values, **as_fields({name: value})})
    except ValueError as error:
        return str(error).partition("\n")[0].removeprefix(f"{name}: ")
    return ""
