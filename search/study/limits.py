"""What a study may cost: epochs of all trials together."""

import math
import sys
from collections.abc import Sequence

from search.study.records import TrialRecord
from search.study.sections import Budget


class EpochBudget:
    """Keeps `study.max_total_epochs` exactly, and cuts no trial: each is paid for whole, or waits.

    What a running trial may still need is reserved for it. One that is stopped early sets free what
    it did not take, so that another may begin after all.
    """

    def __init__(self, budget: Budget, trials: Sequence[TrialRecord]) -> None:
        """Look at the study's own list of trials, which grows."""
        limit = budget.max_total_epochs
        self._limit = math.inf if limit == "none" else limit
        self._max_epochs = budget.max_epochs
        self._trials = trials

    def num_payable(self, running: Sequence[int]) -> int:
        """Return how many new trials the rest pays for.

        Args:
            running: numbers of the trials for which their rest is reserved.
        """
        if math.isinf(self._limit):
            return sys.maxsize
        done = sum(len(trial.epochs) for trial in self._trials)
        reserved = sum(self._max_epochs - len(self._trials[n].epochs) for n in running)
        return max(0, int(self._limit - done - reserved) // self._max_epochs)
