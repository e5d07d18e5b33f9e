"""What one epoch of training brought; light, so that those who only read results need no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochResult:
    """What one epoch brought; plain numbers, so that it can be sent anywhere."""

    epoch: int
    """From 1."""
    train_loss: float | None
    """Mean over the epoch's images, with smoothing and mixup; nats; None if not told."""
    val_loss: float | None
    """Cross-entropy of the averaged weights, without smoothing; nats; None if not evaluated."""
    val_accuracy: float | None
    """Of the averaged weights; fraction in [0, 1]."""
    val_accuracy_raw: float | None
    """Of the raw weights; fraction in [0, 1]."""
    lr: float | None
    """Learning rate of the epoch; None where there is none to tell."""
    seconds: float
    """Wall clock of training and evaluation."""
    images_per_second: float | None
    """Training images over the wall clock of training alone; None if not counted."""

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> "EpochResult":
        """Return what a row of a run's `epochs.csv` says; an empty cell is None.

        Raises:
            ValueError: a cell is no number.
            KeyError: there is no column `epoch`.
            TypeError: another column is missing, or none of ours.
        """
        numbers: dict[str, Any] = {k: float(v) if v else None for k, v in row.items()}
        return cls(**{**numbers, "epoch": int(row["epoch"])})
