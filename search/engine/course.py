"""Whether a search goes on: what may end it before its last trial, counted through a command."""

from search.interrupts import StopRequest
from search.study.breaker import Breaker
from search.study.errors import MachineError, UnfinishedError
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from seresnet.errors import GO_ON_WITH_ROOM, UserError


class Course:
    """Watches a search; once it is to end, no trial starts and each running one ends its epoch.

    Trials that are cut short so stay RUNNING in the study: the next start takes them up.
    """

    def __init__(self, ledger: Ledger, stop: StopRequest) -> None:
        self.ledger = ledger
        self.stop = stop
        self._error: UserError | None = None
        budget = ledger.config.study
        self._breaker = Breaker(
            budget.max_failed,
            budget.num_trials,
            has_success=any(t.state in ("COMPLETE", "PRUNED") for t in ledger.trials),
        )

    @property
    def is_ending(self) -> bool:
        """Whether trials are to be cut short."""
        return self.stop.is_set or self._error is not None

    def trial_finished(self, trial: TrialRecord) -> None:
        """Take note of a trial's end; too many failures end the search."""
        if reason := self._breaker.note(trial):
            self._end(
                UnfinishedError(
                    f"too many failures: {reason}",
                    "mend the cause, then search anew with --name: failed trials are not run again",
                )
            )

    def machine_refused(self, reason: str) -> None:
        """Take note that a worker could not read or write: no trial is to blame."""
        self._end(MachineError(reason, GO_ON_WITH_ROOM))

    def raise_if_ended(self) -> None:
        """Say why the search ended before its last trial, if it did.

        Raises:
            UserError: what was noted.
        """
        if self._error is not None and self.ledger.num_remaining:
            raise self._error

    def _end(self, error: UserError) -> None:
        self._error = self._error or error
