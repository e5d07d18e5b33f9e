"""What a study may cost: epochs of all trials together, hours of all starts together.

The epochs are kept exactly, and cut no trial: each is paid for whole, or waits. What a running
trial may still need is reserved for it; one that is stopped early sets free what it did not take,
so that another may begin after all. When the hours are up nothing begins, and each running trial is
paused at its next report.
"""

import math
from collections.abc import Callable, Sequence

from search.study.records import TrialRecord
from search.study.sections import Budget


class Limits:
    """Keeps `study.max_total_epochs` and `study.max_hours`.

    Time passes from one question or report to the next, so what comes after the search does not
    count.
    """

    def __init__(
        self,
        budget: Budget,
        trials: Sequence[TrialRecord],
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        """Look at a study as it stands.

        Args:
            budget: its section `study`.
            trials: its own list, which grows.
            seconds: that the search has taken in earlier starts.
            clock: seconds that never go back.
        """
        epochs, hours = budget.max_total_epochs, budget.max_hours
        self._max_total = math.inf if epochs == "none" else epochs
        self._max_seconds = math.inf if hours == "none" else 3600 * hours
        self._num_trials, self._max_epochs = budget.num_trials, budget.max_epochs
        self._trials = trials
        self._clock = clock
        self._noted_at: float | None = None
        self.seconds = seconds
        """That the search has taken by now, all starts together."""

    def note_time(self) -> None:
        """Count the time since the last note of this start."""
        now = self._clock()
        if self._noted_at is not None:
            self.seconds += now - self._noted_at
        self._noted_at = now

    @property
    def is_time_up(self) -> bool:
        """Whether `max_hours` are up."""
        return self.seconds >= self._max_seconds

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the hours are up; None without such a limit."""
        return None if math.isinf(self._max_seconds) else max(0, self._max_seconds - self.seconds)

    @property
    def epochs_most(self) -> float:
        """Epochs that the study may hold at most; infinite without such a limit."""
        return max(self._max_total, self._epochs_done)

    def broken_by(self, trial: TrialRecord) -> str:
        """Return the key that keeps a trial from going on in this start, or nothing.

        That never changes back: epochs and time only grow.
        """
        if self.is_time_up:
            return "max_hours"
        return (
            "" if self._epochs_done + self._need(trial) <= self._max_total else "max_total_epochs"
        )

    def pays_for(self, trial: TrialRecord, *, running: Sequence[TrialRecord]) -> bool:
        """Return whether a trial can go on to its end beside those that run."""
        reserved = self._reserved(running)
        return self._epochs_done + reserved + self._need(trial) <= self._max_total

    @property
    def num_unasked(self) -> int:
        """Trials that are not begun yet, whether or not they are paid for."""
        return max(0, self._num_trials - len(self._trials))

    def num_new(self, running: Sequence[TrialRecord]) -> int:
        """Return how many new trials can begin beside those that run."""
        if self.is_time_up or math.isinf(self._max_total):
            return 0 if self.is_time_up else self.num_unasked
        rest = self._max_total - self._epochs_done - self._reserved(running)
        return min(self.num_unasked, max(0, int(rest) // self._max_epochs))

    @property
    def _epochs_done(self) -> int:
        return sum(len(trial.epochs) for trial in self._trials)

    def _need(self, trial: TrialRecord) -> int:
        return self._max_epochs - len(trial.epochs)

    def _reserved(self, running: Sequence[TrialRecord]) -> int:
        return sum(map(self._need, running))
