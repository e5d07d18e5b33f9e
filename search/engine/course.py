"""Whether a search goes on: what may end it before its last trial."""

from search.interrupts import StopRequest
from search.study.breaker import Breaker
from search.study.errors import MachineError, UnfinishedError
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from seresnet.errors import UserError

_AGAIN = "run the same command again: it goes on from the last checkpoints"


class Course:
    """Watches a search; once it is to end, no trial starts and each running one ends its epoch.

    Trials that are cut short so stay RUNNING in the study: the next start takes them up.
    """

    def __init__(self, ledger: Ledger, stop: StopRequest) -> None:
        self._breaker = Breaker(ledger.config.study.max_failed, ledger.config.study.num_trials)
        self._error: UserError | None = None
        self.stop = stop

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
        self._end(
            MachineError(reason, "free space, or mend the permissions; then run the same command")
        )

    def raise_if_ended(self, num_remaining: int) -> None:
        """Say why the search ended before its last trial, if it did.

        Raises:
            UserError: what was noted.
            UnfinishedError: nothing was, and yet trials remain.
        """
        if self._error is not None:
            raise self._error
        if num_remaining and not self.stop.is_set:
            raise UnfinishedError(
                f"{num_remaining} trials are not at their end, though Ray has stopped", _AGAIN
            )

    def _end(self, error: UserError) -> None:
        self._error = self._error or error
