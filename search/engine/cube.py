"""A study's space as a unit cube: each setting's share of its domain, or of its logarithm."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from search.study.sections import Domain
from search.study.space import StudyConfig

Floats = NDArray[np.float64]


class Cube:
    """Where settings lie, moved a little so that one of them lies exactly at a given optimum.

    Whole numbers take only some places of the cube, and a setting that is fixed takes one: without
    the move no setting might reach a function's maximum, and no search have a regret of zero.
    """

    def __init__(self, config: StudyConfig, optimum: Floats) -> None:
        self._space = config.space
        self.optimum = optimum
        """In the cube; a coordinate for each setting of the space."""
        domains = zip(config.space.items(), optimum, strict=True)
        self.best_params = {
            name: _value(domain, float(share), is_integer=config.is_integer(name))
            for (name, domain), share in domains
        }
        """The setting at the optimum."""
        self._move = optimum - self.share(self.best_params)

    def share(self, params: Mapping[str, float]) -> Floats:
        """Return each setting's share of its domain, [0, 1]; 0 where the domain is one value."""
        return np.array([_share(domain, params[name]) for name, domain in self._space.items()])

    def position(self, params: Mapping[str, float]) -> Floats:
        """Return the place of a setting: its shares, moved."""
        return self.share(params) + self._move


def _share(domain: Domain, value: float) -> float:
    low, high, at = ((math.log(v) if domain.log else v) for v in (domain.low, domain.high, value))
    return 0.0 if high == low else (at - low) / (high - low)


def _value(domain: Domain, share: float, *, is_integer: bool) -> float:
    if domain.log:
        value = domain.low * (domain.high / domain.low) ** share
    else:
        value = domain.low + (domain.high - domain.low) * share
    inside = min(max(value, domain.low), domain.high)
    return float(round(inside)) if is_integer else inside
