"""What is known of a trial: the study's rows as values, for decisions, tables and views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from search.study.errors import RECOVER, DamagedStudyError
from search.study.events import events_of, is_paused
from seresnet.epoch import EpochResult

if TYPE_CHECKING:  # the reading of results needs no Optuna
    from optuna.trial import FrozenTrial

TRIAL_COLUMNS = {
    "trial": "string",
    "name": "string",
    "state": "string",
    "stop_reason": "string",
    "val_accuracy": "float64",
    "val_accuracy_raw": "float64",
    "val_loss": "float64",
    "epochs": "int64",
    "seconds": "float64",
    "images_per_second": "float64",
    "seed": "int64",
    "attempts": "int64",
    "error_kind": "string",
    "error": "string",
    "node": "string",
    "device": "string",
    "dtype": "string",
    "threads": "Int64",
}
"""Columns of `trials.csv` and their dtypes; the hyperparameters stand after `stop_reason`."""

BUDGET = "budget"
"""Why a trial is PRUNED that goes on once the budget has grown."""
FINISHED_STATES = ("COMPLETE", "PRUNED", "FAIL")


def trial_id(number: int) -> str:
    """Return a trial's name; the letter keeps pandas from reading a number."""
    return f"t{number:04d}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """Where and how a trial ran."""

    node: str
    device: str
    """Type and name, such as `cpu` or `cuda NVIDIA H200`."""
    dtype: str
    """Of the forward pass: `float32` or `bfloat16`."""
    threads: int
    """CPU threads of the trial's process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """One trial to be run, new or taken up again."""

    number: int
    params: Mapping[str, float]
    seed: int
    attempt: int
    """From 1: a worker whose attempt is over is not listened to, and writes no checkpoint."""
    epochs_stored: int
    """Epochs whose results the study holds; a worker with later ones at hand reports them first."""


@dataclass(kw_only=True, slots=True)
class TrialRecord:
    """One trial as the study holds it."""

    number: int
    params: dict[str, float]
    name: str = ""
    """`baseline`, a recipe's name, or empty."""
    seed: int = 0
    state: str = "RUNNING"
    """Optuna's: RUNNING, COMPLETE, PRUNED or FAIL."""
    stop_reason: str = ""
    """`max_epochs`, `rung 20`, `budget`, an error's kind, or empty while it runs."""
    epochs: dict[int, EpochResult] = field(default_factory=dict)
    """By epoch, from 1."""
    attempts: int = 0
    """Workers that were started for it."""
    error_kind: str = ""
    error: str = ""
    host: Host | None = None
    began: datetime | None = field(default=None, compare=False)
    """When it was suggested, in the driver's local time; tables do not tell."""

    @property
    def id(self) -> str:
        """The trial's name in tables and folders."""
        return trial_id(self.number)

    @property
    def is_running(self) -> bool:
        """Whether it is not at its end, nor closed for now."""
        return self.state == "RUNNING"

    @property
    def is_paused(self) -> bool:
        """Whether it waits for a larger budget."""
        return self.state == "PRUNED" and self.stop_reason == BUDGET

    @property
    def shown_state(self) -> str:
        """State as people are told it: PAUSED until its budget grows, since that is no end."""
        return "PAUSED" if self.is_paused else self.state

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED_STATES and not self.is_paused

    def finish(self, *, state: str, stop_reason: str, error_kind: str, error: str) -> None:
        """Take note of the trial's end."""
        self.state, self.stop_reason = state, stop_reason
        self.error_kind, self.error = error_kind, error

    @property
    def last(self) -> EpochResult | None:
        """The result of its last epoch."""
        return self.epochs[max(self.epochs)] if self.epochs else None

    @property
    def value(self) -> float | None:
        """Validation accuracy at its last epoch."""
        return self.last.val_accuracy if self.last else None

    @property
    def curve(self) -> list[float]:
        """Validation accuracies by epoch, the first epoch first."""
        values = (self.epochs[epoch].val_accuracy for epoch in sorted(self.epochs))
        return [value for value in values if value is not None]


def ranked(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials at full budget, the best first; of equals, the earliest."""
    complete = [t for t in trials if t.state == "COMPLETE" and t.value is not None]
    return sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))


def incumbent(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the best trial at full budget; of equals, the earliest."""
    complete = [t for t in trials if t.state == "COMPLETE" and t.value is not None]
    return max(complete, key=lambda t: (t.value, -t.number), default=None)


def baseline_value(trials: Sequence[TrialRecord]) -> float | None:
    """Return the baseline's validation accuracy at full budget, once it is known."""
    complete = [t for t in trials if t.number == 0 and t.state == "COMPLETE"]
    return complete[0].value if complete else None


def gain_of(trials: Sequence[TrialRecord]) -> float | None:
    """Return the incumbent's validation accuracy less the baseline's, once both are known."""
    best, baseline = incumbent(trials), baseline_value(trials)
    if best is None or best.value is None or baseline is None:
        return None
    return best.value - baseline


def read_record(trial: "FrozenTrial") -> TrialRecord:
    """Return a trial of the study as a record; see `events_of` for what counts.

    Raises:
        DamagedStudyError: the trial lacks something that belongs to it.
    """
    attributes = trial.user_attrs
    record = TrialRecord(
        number=trial.number,
        params=dict(trial.params),
        attempts=attributes.get("attempts", 0),
        began=trial.datetime_start,
    )
    host = attributes.get("host")
    try:
        record.host = Host(**host) if host else None
        for event in events_of(trial):
            match event.kind:
                case "ask":
                    record.name, record.seed = event.content["name"], event.content["seed"]
                case "epoch":
                    record.epochs[event.epoch] = EpochResult(**event.content)
                case "end":
                    record.finish(**event.content)
    except (KeyError, TypeError) as error:
        raise DamagedStudyError(
            f"study.db: {record.id} cannot be read: {error}", RECOVER
        ) from error
    record.state = trial.state.name  # an end that is not told yet is still to come
    if is_paused(trial):
        record.stop_reason = BUDGET
    return record
