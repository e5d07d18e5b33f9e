"""A follower in a thread of its own: whatever it waits for, the search does not."""

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from search.study.records import TrialRecord
from search.view.followers import Follower

_log = logging.getLogger(__name__)
_PATIENCE = 30.0  # seconds without progress, at the end of a search
_AT_A_STOP = 2.0  # seconds in all, where the command is to end: a signal leaves 20
_NOTHING_LOST = "the study has it all, and a later start tells the rest"


class Background:
    """Shows a follower each trial as it is by then; what a slow one misses, the next makes good.

    Its first refusal ends that, in one warning.
    """

    def __init__(
        self,
        make: Callable[[Sequence[TrialRecord]], Follower],
        trials: Sequence[TrialRecord],
        refusals: tuple[type[Exception], ...],
        what: str,
    ) -> None:
        """Start.

        Args:
            make: returns the follower, in the thread; is given copies of the trials.
            trials: all that the study holds by now; they are shown first.
            refusals: errors that are nobody's fault here.
            what: the follower's flag, as a person typed it.
        """
        self._refusals, self._what = refusals, what
        self._changed = threading.Condition()
        copies = [_copy(trial) for trial in trials]
        self._waiting = {trial.number: trial for trial in copies}
        self._is_closing = self._has_failed = False
        self._num_shown = 0
        self._thread = threading.Thread(
            target=self._work, args=(make, copies), name="follower", daemon=True
        )
        self._thread.start()

    def trial_changed(self, trial: TrialRecord) -> None:
        """Let the thread show what is new of a trial."""
        with self._changed:
            if not self._has_failed:
                self._waiting[trial.number] = _copy(trial)
                self._changed.notify()

    def close(self, *, patience: float = _PATIENCE) -> None:
        """End the thread once it has shown everything, or does not come on any more.

        Args:
            patience: seconds without progress after which it is left; 0 leaves it soon in any case.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        shown = -1
        while self._thread.is_alive() and shown != self._num_shown:
            shown = self._num_shown
            self._thread.join(patience or _AT_A_STOP)
            if not patience:
                break
        if self._thread.is_alive():
            self._give_up("no answer in time")

    def _work(
        self, make: Callable[[Sequence[TrialRecord]], Follower], trials: Sequence[TrialRecord]
    ) -> None:
        try:
            follower = make(trials)
            while (trial := self._next()) is not None:
                follower.trial_changed(trial)
                self._num_shown += 1
        except self._refusals as error:
            self._give_up(" ".join(str(error).split())[:300])

    def _next(self) -> TrialRecord | None:
        """Return the trial that waits longest; None at the end."""
        with self._changed:
            while not self._waiting and not self._is_closing:
                self._changed.wait()
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None

    def _give_up(self, reason: str) -> None:
        with self._changed:
            self._has_failed = True
            self._waiting.clear()
        _log.warning("%s: %s; %s", self._what, reason, _NOTHING_LOST)


@contextmanager
def in_background(
    make: Callable[[Sequence[TrialRecord]], Follower],
    trials: Sequence[TrialRecord],
    refusals: tuple[type[Exception], ...],
    what: str,
) -> Iterator[Background]:
    """Yield a follower in a thread; at the end it is waited for. See `Background`."""
    follower = Background(make, trials, refusals, what)
    try:
        yield follower
    except BaseException:
        follower.close(patience=0)
        raise
    follower.close()


def _copy(trial: TrialRecord) -> TrialRecord:
    """Return a trial as it is now: the driver goes on with its own."""
    return dataclasses.replace(trial, epochs=dict(trial.epochs))
