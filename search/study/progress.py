"""How far a study is: counts, incumbent, epochs, time; what every view shows."""

from collections import Counter
from dataclasses import dataclass

from search.study.ledger import Ledger
from search.study.records import FINISHED_STATES, TrialRecord, gain_of, incumbent


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A study at one moment."""

    num_trials: int
    """To be run in all."""
    states: dict[str, int]
    """Trials by state; PAUSED are those that are PRUNED until the budget grows."""
    running: list[TrialRecord]
    incumbent: TrialRecord | None
    gain: float | None
    """The incumbent's validation accuracy less the baseline's, once both are known."""
    epochs_done: int
    epochs_most: int
    """Epochs done at the end if no further trial is stopped: an upper bound, within the budget."""
    max_epochs: int
    rungs: str = ""
    """What whole curves say of early stopping; empty where the rungs are fixed."""
    seconds_most: float | None = None
    """That the search may still take; None without `study.max_hours`."""
    budget: str = ""
    """That the budget is used, and how to go on; empty while something is to be done, or all is."""

    @property
    def num_finished(self) -> int:
        """Trials at their end."""
        return sum(self.states.get(state, 0) for state in FINISHED_STATES)

    @property
    def is_open(self) -> bool:
        """Whether trials are still to be run, and may be."""
        return self.num_finished < self.num_trials and not self.budget

    @property
    def tally(self) -> str:
        """Trials by state, such as `9 COMPLETE, 5 PRUNED`; empty of none."""
        return ", ".join(f"{number} {state}" for state, number in sorted(self.states.items()))


def progress_of(ledger: Ledger) -> Progress:
    """Return where a study stands."""
    trials = ledger.trials
    max_epochs = ledger.config.study.max_epochs
    num_trials = max(ledger.config.study.num_trials, len(trials))
    done = sum(len(t.epochs) for t in trials)
    left = sum(max_epochs - len(t.epochs) for t in trials if not t.is_finished)
    left += (num_trials - len(trials)) * max_epochs
    running = [t for t in trials if t.is_running]
    if ledger.limits.is_time_up or not ledger.num_remaining:
        left = len(running)  # the epoch in training, and then each is paused
    return Progress(
        num_trials=num_trials,
        states=dict(Counter(t.shown_state for t in trials)),
        running=running,
        incumbent=incumbent(trials),
        gain=gain_of(trials),
        epochs_done=done,
        epochs_most=int(min(done + left, ledger.limits.epochs_most)),
        max_epochs=max_epochs,
        rungs=ledger.rules.describe_choice(trials),
        seconds_most=ledger.limits.seconds_left,
        budget=describe_budget(ledger),
    )


def describe_budget(ledger: Ledger) -> str:
    """Return that a study's budget is used, and how to go on; nothing otherwise."""
    if ledger.num_remaining or not ledger.num_open:
        return ""
    budget, paused = ledger.config.study, sum(t.is_paused for t in ledger.trials)
    key, used = "max_total_epochs", f"{budget.max_total_epochs} epochs"
    if ledger.limits.is_time_up:
        key, used = "max_hours", f"{budget.max_hours:g} hours"
    waits = [
        _count(paused, "waits", "wait"),
        _count(ledger.limits.num_unasked, "was not begun", "were not begun"),
    ]
    told = ", ".join(filter(None, waits))
    return f"the budget of {used} is used: {told}; raise study.{key}, then run the same command"


def _count(number: int, one: str, many: str) -> str:
    """Return so many trials and what is said of them; nothing of none."""
    if not number:
        return ""
    return f"1 trial {one}" if number == 1 else f"{number} trials {many}"


def seconds_left(progress: Progress, *, elapsed: float, epochs_before: int) -> float | None:
    """Return the most seconds the rest can take at this start's pace, within the budget.

    None before its first epoch.

    Args:
        progress: now.
        elapsed: seconds since this start.
        epochs_before: epochs that the study already held then.
    """
    new = progress.epochs_done - epochs_before
    if new <= 0:
        return None
    left = elapsed / new * (progress.epochs_most - progress.epochs_done)
    return left if progress.seconds_most is None else min(left, progress.seconds_most)
