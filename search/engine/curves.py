"""Learning curves in closed form, over the unit cube of any study's space.

Two kinds. In the crossing family every setting is a regulariser of some strength: the stronger they
are together, the slower the network learns, and the best setting is a strong one. MFHartmann6 is
the literature's function for methods that look at a part of the training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.engine.cube import Cube, Floats
from search.study.space import StudyConfig

FAMILIES = (
    "crossing-none",
    "crossing-mild",
    "crossing-strong",
    "hartmann-good",
    "hartmann-bad",
)
_STRENGTHS = {"crossing-none": 0.0, "crossing-mild": 0.6, "crossing-strong": 1.2}
_BIAS_AND_NOISE = {"hartmann-good": (0.5, 0.1), "hartmann-bad": (3.0, 2.0)}


def make_family(name: str, config: StudyConfig) -> "Crossing | Hartmann":
    """Return a family over a study's space, as long as its trials.

    Args:
        name: one of `FAMILIES`.
        config: the study's.
    """
    epochs = config.study.max_epochs
    if name in _STRENGTHS:
        return Crossing.over(config, strength=_STRENGTHS[name], epochs=epochs)
    bias, noise = _BIAS_AND_NOISE[name]
    return Hartmann.over(config, bias=bias, noise=noise, epochs=epochs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """How measured accuracies scatter about their curve: less and less as the schedule ends.

    The shape is that of the seed recipe's log over 250 epochs: the standard deviation of the change
    from one epoch to the next was 3.6 points until 40% of the schedule, 3.0 until 60%, 1.0 until
    80%, 0.5 until 92% and 0.19 after. The size is that of averaged weights, which change by 1.08
    points where raw ones change by 5.0; a change has the square root of two times the deviation of
    a value.
    """

    epoch: float = 0.0108 / 2**0.5
    """Standard deviation of one epoch's accuracy in the first 40% of the schedule; fraction."""
    run: float = 0.0015
    """Standard deviation of what a run's seed adds to its whole curve; fraction."""

    def draw(self, epochs: int, rng: np.random.Generator) -> Floats:
        """Return what is added to each epoch's accuracy."""
        share = np.arange(1, epochs + 1) / epochs
        size = np.interp(share, (0.4, 0.5, 0.7, 0.86, 0.96), (1, 0.83, 0.28, 0.14, 0.053))
        return self.epoch * size * rng.normal(size=epochs) + self.run * rng.normal()


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Regularisers that slow learning early and pay late, more or less.

    With x in the unit cube: the final accuracy falls with the square of the distance from the
    optimum, and with what neighbouring settings have too much or too little of together. The rest
    of the curve is what is still to be learnt: an exponential part that the mean of x slows, and a
    late part, which a cosine schedule brings at its end and of which a strongly regularised network
    has more. Both end at zero, so a curve ends at its final accuracy.
    """

    cube: Cube
    strength: float
    """0: all learn at one speed; 1.2: most curves cross."""
    epochs: int
    noise: Noise = Noise()
    best: float = 0.95

    @classmethod
    def over(cls, config: StudyConfig, *, strength: float, epochs: int) -> "Crossing":
        """Return the family over a study's space."""
        optimum = np.resize((0.60, 0.45, 0.50, 0.55, 0.65), len(config.space))
        return cls(cube=Cube(config, optimum), strength=strength, epochs=epochs)

    def final(self, params: Mapping[str, float]) -> float:
        """Return the accuracy at the last epoch, without noise; fraction."""
        away = 2 * (self.cube.position(params) - self.cube.optimum)
        weights = np.resize((0.020, 0.010, 0.005, 0.025, 0.020), len(away))
        together = np.abs(away[:-1] + away[1:]).mean() if len(away) > 1 else 0.0
        return float(self.best - weights @ away**2 - 0.01 * together)

    def clean(self, params: Mapping[str, float]) -> Floats:
        """Return the accuracy after each epoch, without noise; fractions."""
        share = np.arange(1, self.epochs + 1) / self.epochs
        regularised = float(self.cube.position(params).mean()) - 0.5
        rate = 5 * np.exp(-4 * self.strength * regularised)
        to_learn = (np.exp(-rate * share) - np.exp(-rate)) / (1 - np.exp(-rate))
        late = (1 - share**4) * (1 + 2 * self.strength * regularised)
        return np.asarray(self.final(params) - 0.25 * to_learn - 0.06 * late)

    def observed(self, params: Mapping[str, float], rng: np.random.Generator) -> Sequence[float]:
        """Return the accuracy that is measured after each epoch; fractions."""
        values = self.clean(params) + self.noise.draw(self.epochs, rng)
        return [float(value) for value in np.clip(values, 0, 1)]


_SCALE = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRE = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_HEIGHT = np.array([1.0, 1.2, 3.0, 3.2])
_OPTIMUM = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])
_MAXIMUM = 3.32237


@dataclass(frozen=True, kw_only=True, slots=True)
class Hartmann:
    """MFHartmann6: early epochs show another function than the last one, and more noise.

    A unit of the function is ten points of accuracy, its maximum 95%. It has six dimensions. Where
    a space has fewer, the others stand at the optimum; where it has more, those have no effect.

    Source: Kandasamy et al. 2017, https://arxiv.org/abs/1703.06240, with the fidelity, bias and
    noise of mf-prior-bench, https://github.com/automl/mf-prior-bench.
    """

    cube: Cube
    bias: float
    """By how much the early function differs; 0.5 good, 3 bad correlation with the last."""
    noise: float
    """Size of the noise at the first epoch; units of the function."""
    epochs: int
    best: float = 0.95

    @classmethod
    def over(cls, config: StudyConfig, *, bias: float, noise: float, epochs: int) -> "Hartmann":
        """Return the family over a study's space."""
        optimum = np.resize(_OPTIMUM, len(config.space))
        return cls(cube=Cube(config, optimum), bias=bias, noise=noise, epochs=epochs)

    def final(self, params: Mapping[str, float]) -> float:
        """Return the accuracy at the last epoch, without noise; fraction."""
        return float(self._accuracy(_HEIGHT @ self._parts(params)))

    def clean(self, params: Mapping[str, float]) -> Floats:
        """Return the accuracy after each epoch, without noise; fractions."""
        heights = _HEIGHT - self.bias * (1 - self._fidelity)[:, None]
        return self._accuracy(heights @ self._parts(params))

    def observed(self, params: Mapping[str, float], rng: np.random.Generator) -> Sequence[float]:
        """Return the accuracy that is measured after each epoch; fractions."""
        loss = np.abs(rng.normal(size=self.epochs)) * self.noise * (1 - self._fidelity)
        return [float(value) for value in np.clip(self.clean(params) - 0.1 * loss, 0, 1)]

    @property
    def _fidelity(self) -> Floats:
        """The logarithm of the epoch, 0 at the first and 1 at the last."""
        if self.epochs == 1:
            return np.ones(1)
        return np.asarray(np.log(np.arange(1, self.epochs + 1)) / np.log(self.epochs))

    def _parts(self, params: Mapping[str, float]) -> Floats:
        point = _OPTIMUM.copy()
        given = self.cube.position(params)[: len(point)]
        point[: len(given)] = given
        return np.asarray(np.exp(-(_SCALE * (point - _CENTRE) ** 2).sum(axis=1)))

    def _accuracy(self, height: Floats) -> Floats:
        return self.best - 0.1 * (_MAXIMUM - height)
