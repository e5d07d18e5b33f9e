"""Ways to search that are compared: a study's own, or with another sampler and other rungs."""

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

from search.study.names import did_you_mean
from search.study.space import StudyConfig
from seresnet.errors import ConfigError

_SAMPLERS = ("tpe", "gp", "random", "qmc")
_FORMS = (
    "study, tpe, gp, random, qmc, none, auto, asha:MIN_EPOCHS,FACTOR (auto too), x2, joined by +"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What replaces the study file's sampler and rungs; nothing replaces what is absent."""

    name: str
    """As it was written, such as `gp+none` or `asha:25%,2`."""
    sampler: str | None = None
    pruner: str | None = None
    """`asha`, `none`, or `auto`: ASHA from the rung that the study's whole curves say."""
    min_epochs: str = ""
    """First rung, with `auto` the earliest: epochs, or a share of `max_epochs` such as `25%`."""
    reduction_factor: int = 0
    times: int = 1
    """Times the budget of the others."""
    flag: str = "--policy"
    """That complaints name."""

    def applied(self, config: StudyConfig) -> StudyConfig:
        """Return the study with this policy in place of its own.

        Raises:
            ConfigError: the first rung lies beyond the study's last.
        """
        changed = copy.copy(config)
        if self.sampler:
            sampler: Any = {"name": self.sampler}
            _replace(changed, sampler=dataclasses.replace(config.sampler, **sampler))
        if self.pruner:
            pruner: Any = {"name": "asha", "rungs": "auto"}
            if self.pruner != "auto":
                pruner = {"name": self.pruner, "rungs": "fixed"}
            _replace(changed, pruner=dataclasses.replace(config.pruner, **pruner))
        if self.min_epochs:
            most = config.study.max_epochs
            first = _first_rung(self.min_epochs, most)
            if not 1 <= first <= most:
                raise ConfigError(
                    f"{self.flag} {self.name}: first rung must be in [1, {most}], got {first}",
                    "study.max_epochs is the last rung; name an earlier one, or a share as 25%",
                )
            changed = with_budget(changed, min_epochs=first, reduction_factor=self.reduction_factor)
        return changed


def parse_policy(text: str) -> Policy:
    """Return a policy from its name, such as `study`, `random+none+x2` or `gp+asha:25%,2`.

    Raises:
        ConfigError: a part has no meaning; those that have are named.
    """
    found: dict[str, Any] = {"name": text}
    for part in text.split("+"):
        kind, _, numbers = part.partition(":")
        first, _, factor = numbers.partition(",")
        if part in _SAMPLERS:
            found["sampler"] = part
        elif part in ("none", "auto"):
            found["pruner"] = part
        elif (
            kind in ("asha", "auto")
            and first.removesuffix("%").isdecimal()
            and _is_number(factor, 2)
        ):
            found |= {"pruner": kind, "min_epochs": first, "reduction_factor": int(factor)}
        elif part[:1] == "x" and _is_number(part[1:], 1):
            found["times"] = int(part[1:])
        elif part != "study":
            hint = did_you_mean(part, ("study", *_SAMPLERS, "none", "auto", "asha:"))
            raise ConfigError(f"--policy {text}: unknown part {part!a}{hint}", f"use {_FORMS}")
    return Policy(**found)


def parse_rungs(text: str) -> Policy:
    """Return the policy of other rungs alone.

    Args:
        text: `auto`, `auto:15,2` (at epoch 15 at the earliest), `none`, `20,2` or `25%,2`.

    Raises:
        ConfigError: it is none of these.
    """
    try:
        policy = parse_policy(f"asha:{text}" if text[:1].isdecimal() else text)
    except ConfigError:
        policy = Policy(name=text)
    if policy.pruner is None or policy.sampler is not None or policy.times != 1:
        raise ConfigError(
            f"--rungs {text}: must be auto, none or EPOCH,FACTOR",
            "say --rungs 20,2 for a first rung at epoch 20 where one in 2 goes on",
        )
    return dataclasses.replace(policy, name=text, flag="--rungs")


def with_budget(config: StudyConfig, **changes: Any) -> StudyConfig:
    """Return the study with other values in its section `study`.

    The rules between sections are not asked again: a policy that is compared may have a first rung
    that no study file may have, inside the longest warm-up, which is what makes it worth comparing.
    """
    changed = copy.copy(config)
    _replace(changed, study=dataclasses.replace(config.study, **changes))
    return changed


def _replace(config: StudyConfig, **sections: object) -> None:
    for name, section in sections.items():
        object.__setattr__(config, name, section)


def _first_rung(text: str, max_epochs: int) -> int:
    if text.endswith("%"):
        return max(1, round(int(text[:-1]) * max_epochs / 100))
    return int(text)


def _is_number(text: str, least: int) -> bool:
    return text.isdecimal() and int(text) >= least
