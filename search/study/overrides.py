"""What a retraining changes in the winner's settings, as its schedule is longer than a trial's."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_type_hints

from search.study.names import did_you_mean
from seresnet.config import TrainConfig

Scalar = bool | int | float | str

OVERRIDABLE = {
    name: kind
    for name, kind in get_type_hints(TrainConfig).items()
    if name not in ("epochs", "seed", "channels", "mean", "std")
}
"""Another network, or other numbers for the same pixels, would be another search."""


def overridden(config: TrainConfig, overrides: Mapping[str, Scalar]) -> TrainConfig:
    """Return settings with others laid over them; whole numbers will do for floats.

    Raises:
        ValueError: as `TrainConfig` does.
    """
    values: dict[str, Any] = {
        k: float(v) if OVERRIDABLE[k] is float else v for k, v in overrides.items()
    }
    return dataclasses.replace(config, **values)


def override_problems(
    base: TrainConfig, overrides: Mapping[str, Scalar], space: Collection[str]
) -> Iterator[str]:
    """Yield a line `<field>: <rule>, got <value>` for what is wrong with some overrides.

    Args:
        base: the settings of a retraining without them.
        overrides: field to value.
        space: what is searched, and so the winner's to say.
    """
    rules = {name: _broken_rule(name, value, space) for name, value in overrides.items()}
    yield from (f"{name}: {rule}" for name, rule in rules.items() if rule)
    try:
        overridden(base, {name: overrides[name] for name, rule in rules.items() if not rule})
    except ValueError as error:
        yield from str(error).splitlines()


def _broken_rule(name: str, value: Scalar, space: Collection[str]) -> str:
    if name in ("epochs", "seed"):
        return f"must be left to retrain.epochs and retrain.seeds, got {value}"
    if name not in OVERRIDABLE:
        near = did_you_mean(name, OVERRIDABLE)
        return f"must be a setting of TrainConfig that is one value{near}, got {value}"
    if name in space:
        return f"must be the winner's, because space.{name} is searched, got {value}"
    kind = OVERRIDABLE[name]
    if kind is bool and not isinstance(value, bool):
        return f"must be true or false, got {value}"
    if kind in (int, float):
        is_number = not isinstance(value, bool | str)
        if not is_number or (kind is int and not isinstance(value, int)):
            return f"must be {'an integer' if kind is int else 'a number'}, got {value}"
    return ""
