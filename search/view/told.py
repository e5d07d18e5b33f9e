"""What is told of the trainings after the search, passed on to the live view."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search.view.live import View
from seresnet.config import TrainConfig
from seresnet.epoch import EpochResult


class Training(Protocol):
    """One training of a stage, whoever carries it out."""

    @property
    def folder(self) -> Path:
        """Its own, whose name is shown."""

    @property
    def config(self) -> TrainConfig:
        """Its settings."""


@dataclass(frozen=True, slots=True)
class Told:
    """Shows a stage as its trainings are told of."""

    view: View
    stage: str
    at_once: int
    """Trainings side by side."""

    def begins(self, jobs: Sequence[Training], unfinished: Sequence[Training]) -> None:
        """Show all that belongs to the stage."""
        epochs = {job.folder.name: job.config.epochs for job in jobs}
        done = epochs.keys() - {job.folder.name for job in unfinished}
        self.view.begins(self.stage, epochs, done, self.at_once)

    def trained(self, job: Training, result: EpochResult) -> None:
        """Show an epoch."""
        self.view.trained(self.stage, job.folder.name, result, job.config.epochs)

    def diverged(self, job: Training) -> None:
        """Show an end without a model."""
        self.view.diverged(self.stage, job.folder.name)
