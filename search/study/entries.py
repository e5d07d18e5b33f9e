"""How the ledger writes: events numbered and sealed, ends told to Optuna."""

from collections.abc import Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from search.study.events import seal


class Entries:
    """The trials of one study, to be written to by its one writer."""

    def __init__(self, storage: BaseStorage, study: optuna.Study, num_events: int) -> None:
        """Write nothing yet.

        Args:
            storage: of the study.
            study: that holds the trials.
            num_events: that it holds by now; the writer raises it once an event is stored whole.
        """
        self._storage = storage
        self._study = study
        self.num_events = num_events
        self._handles: dict[int, Trial] = {}

    def handle(self, number: int) -> Trial:
        """Return Optuna's trial, to be written to."""
        if number not in self._handles:
            frozen = self._study.get_trials(deepcopy=False)[number]
            self._handles[number] = Trial(self._study, frozen._trial_id)
        return self._handles[number]

    def hold(self, number: int, trial: Trial) -> None:
        """Keep Optuna's trial, which was asked for just now."""
        self._handles[number] = trial

    def let_go(self, number: int) -> None:
        """Forget a trial that is written to no more."""
        self._handles.pop(number, None)

    def set(self, number: int, name: str, value: object) -> None:
        """Store an attribute of a trial."""
        self.handle(number).set_user_attr(name, value)

    def record(
        self, number: int, name: str, content: Mapping[str, object], beside: object = None
    ) -> None:
        """Store an event as the next of the study; an epoch counts once its value is stored too."""
        self.set(number, name, seal(content, seq=self.num_events + 1, number=number, beside=beside))

    def tell(self, number: int, state: str, value: float | None) -> None:
        """Store a trial's end and its value, of which a failed one has none.

        As `Study.tell`, which would read the trial back twice: one that was stopped keeps the value
        it reported last. The samplers are made anew for each suggestion.
        """
        values = [value] if state != "FAIL" and value is not None else None
        trial_id = self.handle(number)._trial_id
        self._storage.set_trial_state_values(trial_id, TrialState[state], values)
