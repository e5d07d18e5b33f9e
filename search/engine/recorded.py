"""Curves that a study has recorded: any setting learns as the nearest one that was trained."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from search.engine.cube import Cube, Floats
from search.engine.curves import FAMILIES, Noise, make_family
from search.engine.virtual import Curves
from search.results import read_tables
from search.study.names import did_you_mean
from search.study.space import StudyConfig
from seresnet.errors import ConfigError, DataError


class Recorded:
    """The complete trials of a study folder, each the curve of all settings nearest to it.

    At a recorded setting the curve is the recorded one; elsewhere noise is added, as another run
    would have. Trials that were stopped are left out: nobody knows where they would have ended.
    """

    def __init__(self, cube: Cube, points: Floats, values: Floats, noise: Noise) -> None:
        self._cube = cube
        self._points = points
        self._values = values
        self._noise = noise
        self.best = float(values[:, -1].max())

    @classmethod
    def read(cls, path: Path, config: StudyConfig) -> "Recorded":
        """Return the curves of a study's tables.

        Args:
            path: an `epochs.csv`, with `trials.csv` beside it.
            config: over the same space, and as long.

        Raises:
            DataError: the tables lack something, or belong to another space or length.
        """
        trials, epochs = read_tables(path.parent, list(config.space))
        complete = trials[trials["state"] == "COMPLETE"]
        if complete.empty:
            raise DataError(f"{path}: no trial is complete", "let the study run on")
        table = epochs.pivot(index="trial", columns="epoch", values="val_accuracy")
        values = table.reindex(complete["trial"]).to_numpy(dtype=float)
        _refuse_other_lengths(path, values, config.study.max_epochs)
        cube = Cube(config, np.full(len(config.space), 0.5))
        names = list(config.space)
        rows = complete[names].to_dict("records")
        points = np.array([cube.share({n: float(row[n]) for n in names}) for row in rows])
        return cls(cube, points, values, Noise())

    def final(self, params: Mapping[str, float]) -> float:
        """Return the accuracy at the last epoch, without noise; fraction."""
        return float(self._values[self._nearest(params)[0], -1])

    def observed(self, params: Mapping[str, float], rng: np.random.Generator) -> Sequence[float]:
        """Return the accuracy that is measured after each epoch; fractions."""
        index, distance = self._nearest(params)
        curve = self._values[index]
        if distance > 0:
            curve = curve + self._noise.draw(len(curve), rng)
        return [float(value) for value in np.clip(curve, 0, 1)]

    def _nearest(self, params: Mapping[str, float]) -> tuple[int, float]:
        """Return which recorded setting is nearest, and how far; of equals, the earliest."""
        distances = np.linalg.norm(self._points - self._cube.share(params), axis=1)
        index = int(distances.argmin())
        return index, float(distances[index])


def named_curves(name: str, config: StudyConfig) -> Curves:
    """Return the curves of a name: a family's, or those of a study's tables.

    Raises:
        UserError: no family has this name, or the tables do not fit the study.
    """
    if name in FAMILIES:
        return make_family(name, config)
    if name.endswith("epochs.csv"):
        return Recorded.read(Path(name), config)
    raise ConfigError(
        f"--curves {name}: no such family{did_you_mean(name, FAMILIES)}",
        f"use {', '.join(FAMILIES)}, or the path of a study's epochs.csv",
    )


def _refuse_other_lengths(path: Path, values: Floats, max_epochs: int) -> None:
    length = values.shape[1]
    if length != max_epochs:
        raise DataError(
            f"{path}: its trials are of {length} epochs, study.max_epochs is {max_epochs}",
            f"name the study file of these tables, {path.parent / 'study.yaml'}",
        )
    if not all(math.isfinite(value) for value in values.flat):
        raise DataError(
            f"{path}: val_accuracy: a complete trial lacks an epoch",
            "the tables were cut short; any start of the study writes them anew",
        )
