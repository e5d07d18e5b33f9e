"""How far a study is: counts, incumbent, epochs, time; what every view shows."""

from collections import Counter
from dataclasses import dataclass

from search.study.ledger import Ledger
from search.study.records import TrialRecord, baseline_value, incumbent


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A study at one moment."""

    num_trials: int
    """To be run in all."""
    states: dict[str, int]
    """Trials by state."""
    running: list[TrialRecord]
    incumbent: TrialRecord | None
    gain: float | None
    """The incumbent's validation accuracy less the baseline's, once both are known."""
    epochs_done: int
    epochs_most: int
    """Epochs done at the end if no further trial is stopped: an upper bound."""
    max_epochs: int
    rungs: str = ""
    """What whole curves say of early stopping; empty where the rungs are fixed."""


def progress_of(ledger: Ledger) -> Progress:
    """Return where a study stands."""
    trials = ledger.trials
    max_epochs = ledger.config.study.max_epochs
    num_trials = max(ledger.config.study.num_trials, len(trials))
    best, baseline = incumbent(trials), baseline_value(trials)
    gain = None
    if best is not None and best.value is not None and baseline is not None:
        gain = best.value - baseline
    done = sum(len(t.epochs) for t in trials)
    left = sum(max_epochs - len(t.epochs) for t in trials if not t.is_finished)
    left += (num_trials - len(trials)) * max_epochs
    return Progress(
        num_trials=num_trials,
        states=dict(Counter(t.state for t in trials)),
        running=[t for t in trials if not t.is_finished],
        incumbent=best,
        gain=gain,
        epochs_done=done,
        epochs_most=done + left,
        max_epochs=max_epochs,
        rungs=ledger.rules.describe_choice(trials),
    )


def seconds_left(progress: Progress, *, elapsed: float, epochs_before: int) -> float | None:
    """Return the most seconds the rest can take at this start's pace; none before its first epoch.

    Args:
        progress: now.
        elapsed: seconds since this start.
        epochs_before: epochs that the study already held then.
    """
    new = progress.epochs_done - epochs_before
    if new <= 0:
        return None
    return elapsed / new * (progress.epochs_most - progress.epochs_done)
