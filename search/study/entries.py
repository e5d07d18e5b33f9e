"""How the ledger writes: events numbered and sealed, ends told to Optuna, each stored whole."""

import dataclasses
from collections.abc import Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from search.study.events import epoch_attribute, seal
from search.study.records import Host, TrialRecord, trial_id
from search.study.transaction import one_transaction
from seresnet.epoch import EpochResult
from seresnet.failpoints import reach

SECONDS = "search_seconds"
_SECONDS_APART = 30.0  # between two notes of the time while nothing comes to its end


class Entries:
    """The trials of one study, to be written to by its one writer."""

    def __init__(self, storage: BaseStorage, study: optuna.Study, num_events: int) -> None:
        """Write nothing yet.

        Args:
            storage: of the study.
            study: that holds the trials.
            num_events: that it holds by now; raised once an event is stored whole.
        """
        self._storage = storage
        self._study = study
        self.num_events = num_events
        self._handles: dict[int, Trial] = {}
        self.seconds: float = study.user_attrs.get(SECONDS, 0.0)
        """That the search has taken, as the study holds it."""

    def handle(self, number: int) -> Trial:
        """Return Optuna's trial, to be written to."""
        if number not in self._handles:
            frozen = self._study.get_trials(deepcopy=False)[number]
            self._handles[number] = Trial(self._study, frozen._trial_id)
        return self._handles[number]

    def hold(self, number: int, trial: Trial) -> None:
        """Keep Optuna's trial, which was asked for just now."""
        self._handles[number] = trial

    def set(self, number: int, name: str, value: object) -> None:
        """Store an attribute of a trial."""
        self.handle(number).set_user_attr(name, value)

    def keep_seconds(self, seconds: float, *, apart: float = 0.0) -> None:
        """Store how long the search has taken, if that is more by so many seconds."""
        if seconds > self.seconds + apart:
            self._study.set_user_attr(SECONDS, seconds)
            self.seconds = seconds

    def record(
        self, number: int, name: str, content: Mapping[str, object], beside: object = None
    ) -> None:
        """Store an event as the next of the study; an epoch counts once its value is stored too."""
        self.set(number, name, seal(content, seq=self.num_events + 1, number=number, beside=beside))

    def report(
        self, number: int, result: EpochResult | None, host: Host | None, seconds: float
    ) -> None:
        """Store an epoch and the trial's host, where they are new, and the time now and then."""
        with one_transaction(self._storage):
            if host is not None:
                self.set(number, "host", dataclasses.asdict(host))
            self.keep_seconds(seconds, apart=_SECONDS_APART)
            if result is not None:
                # The metrics first: an epoch counts as stored once its value is.
                self.record(number, epoch_attribute(result.epoch), dataclasses.asdict(result))
                reach("before-value", trial_id(number))
                assert result.val_accuracy is not None
                self.handle(number).report(result.val_accuracy, result.epoch)
        if result is not None:
            reach("after-value", trial_id(number))
            self.num_events += 1

    def close(
        self,
        trial: TrialRecord,
        name: str,
        content: Mapping[str, object],
        state: str,
        seconds: float,
    ) -> None:
        """Store the event that ends a trial, or closes it for now, and the time; tell Optuna."""
        with one_transaction(self._storage):
            self.keep_seconds(seconds)
            self.record(trial.number, name, content)
            reach("before-tell", trial.id)
            self.tell(trial, state)
        self.num_events += 1
        reach("after-tell", trial.id)

    def tell(self, trial: TrialRecord, state: str) -> None:
        """Store a trial's end and its value, of which a failed one has none.

        As `Study.tell`, which would read the trial back twice: one that was stopped keeps the value
        it reported last. The samplers are made anew for each suggestion.
        """
        values = [trial.value] if state != "FAIL" and trial.value is not None else None
        identity = self.handle(trial.number)._trial_id
        self._storage.set_trial_state_values(identity, TrialState[state], values)
        del self._handles[trial.number]
