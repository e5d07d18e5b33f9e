"""The study, the only truth: suggest, report, finish, resume. One writer, the driver.

Every suggestion, every epoch's value and every end of a trial is stored before anyone acts on it,
numbered in the order in which it came: a start after any interruption finds all there is to know,
and `search.study.replay` derives every decision again.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from search.study.asking import Asker
from search.study.entries import Entries
from search.study.events import ASK, END, last_seq, newest_event, pause_attribute
from search.study.header import (
    STUDY_NAME,
    bind_images,
    create_study,
    keep_choice,
    load_study,
    refuse_damage,
    stored_config,
)
from search.study.limits import Limits
from search.study.records import BUDGET, Host, Suggestion, TrialRecord, read_record
from search.study.reopening import reopen
from search.study.rules import Rules
from search.study.space import StudyConfig
from seresnet.epoch import EpochResult

optuna.logging.set_verbosity(optuna.logging.WARNING)
_log = logging.getLogger(__name__)


class Ledger:
    """A study with its rules: baseline and recipes first, then the sampler; stops at the rungs."""

    def __init__(
        self,
        storage: BaseStorage,
        study: optuna.Study,
        config: StudyConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self.config = config
        self.observe: Callable[[TrialRecord], object] = lambda trial: None
        """Called after each change of a trial, when it is stored."""
        # A trial that waits was chosen but never handed out: asking takes it up again.
        stored = study.get_trials(deepcopy=False)
        self.trials = [read_record(t) for t in stored if t.state != TrialState.WAITING]
        self._entries = Entries(storage, study, max(map(last_seq, stored), default=0))
        self._orphans: list[int] = []
        self.rules = Rules(config)
        self._asker = Asker(storage, study, self._entries, config, self.rules)
        self.limits = Limits(config.study, self.trials, self._entries.seconds, clock)

    @classmethod
    def open(
        cls,
        storage: BaseStorage,
        config: StudyConfig,
        *,
        study_name: str = STUDY_NAME,
        clock: Callable[[], float] = time.monotonic,
    ) -> "Ledger":
        """Return the study in this storage, made where it is missing.

        Paused trials that the budget pays for now run again. What a kill left half done is done
        next, before anything else can happen: so a suggestion and a decision are a function of what
        was stored before them, interrupted or not.

        Args:
            storage: on disk, or in memory for simulations and tests.
            config: must agree with the stored study in all that decides its trials.
            study_name: inside the storage.
            clock: seconds that never go back, for `study.max_hours`.

        Raises:
            ConfigError: the stored study was made with other settings; the keys are named.
            DamagedStudyError: the study cannot be read, holds something else than was stored, or
                a newer version wrote it.
        """
        study = create_study(storage, config, study_name)
        refuse_damage(study)
        ledger = cls(storage, study, config, clock)
        if reopened := ledger._payable_again():
            reopen(storage, reopened)
            # The former study object would keep them as closed.
            ledger = cls(storage, load_study(storage, study_name), config, clock)
        ledger._settle()
        if config.study.num_trials < len(ledger.trials):
            _log.warning("study.num_trials is below the trials that the study holds already")
        return ledger

    @classmethod
    def load(cls, storage: BaseStorage, *, study_name: str = STUDY_NAME) -> "Ledger":
        """Return a study that exists, with the settings it holds, to be read only.

        Raises:
            DamagedStudyError: the storage holds no such study, or it cannot be read.
        """
        study = load_study(storage, study_name)
        return cls(storage, study, stored_config(study))

    def bind_images(self, report: Mapping[str, object]) -> None:
        """Keep the hashes of the study's images; refuse others on a later start.

        Raises:
            DataError: the study was made with other images: its values would not compare.
        """
        bind_images(self._study, report)

    @property
    def id(self) -> str:
        """Identity of the study, made at its birth."""
        return str(self._study.user_attrs["id"])

    @property
    def num_events(self) -> int:
        """Events that the study holds."""
        return self._entries.num_events

    @property
    def num_remaining(self) -> int:
        """Trials still to be finished, those now running included, as far as they are paid for.

        More may become payable when running ones are stopped early.
        """
        running = [t for t in self.trials if t.is_running]
        return len(running) + self.limits.num_new(running)

    @property
    def num_open(self) -> int:
        """Trials still to be finished if the budget paid for all of them."""
        return self.limits.num_unasked + sum(not t.is_finished for t in self.trials)

    @property
    def may_suggest_later(self) -> bool:
        """Whether there may be a suggestion once a trial that now runs is at its end."""
        return bool(self.handed_out() and (self._orphans or self.limits.num_new([])))

    def take_back(self) -> None:
        """Take up all running trials anew: whoever carried them out is gone."""
        self._orphans = [t.number for t in self.trials if t.is_running]
        self._pause_unpaid()

    def hand_back(self, number: int) -> None:
        """Take up one running trial anew: its worker was gone before it began."""
        assert number in self.handed_out(), number
        self._orphans.append(number)

    def handed_out(self) -> list[int]:
        """Return the trials that somebody is carrying out now, by number."""
        waiting = set(self._orphans)
        return [t.number for t in self.trials if t.is_running and t.number not in waiting]

    def suggest(self) -> Suggestion | None:
        """Return the next trial: one that was interrupted, else a new one; none when all are out.

        Also none while the budget pays for no more: see `may_suggest_later`. A new suggestion is a
        function of (seed, trial number, history).
        """
        self.limits.note_time()
        self._pause_unpaid()
        running = [self.trials[number] for number in self.handed_out()]
        orphans = [self.trials[number] for number in self._orphans]
        payable = (trial for trial in orphans if self.limits.pays_for(trial, running=running))
        if record := next(payable, None):
            self._orphans.remove(record.number)
            self.begin_attempt(record.number)
        elif not orphans and self.limits.num_new(running):
            assert not any(t.is_paused for t in self.trials)  # a sampler would take it for stopped
            record = self._asker.ask(len(self.trials))
            self.trials.append(record)
        else:
            return None
        return Suggestion(
            number=record.number,
            params=record.params,
            seed=record.seed,
            attempt=record.attempts,
            epochs_stored=len(record.epochs),
        )

    def begin_attempt(self, number: int) -> int:
        """Count one more start of a trial and return its number, from 1; older ones are over."""
        record = self.trials[number]
        self._entries.set(number, "attempts", record.attempts + 1)
        record.attempts += 1
        return record.attempts

    def report(self, number: int, result: EpochResult, host: Host, *, attempt: int) -> bool:
        """Store an epoch; decide, store and return whether the trial goes on.

        An epoch that the study holds already, as a resumed trial reports its last one, was decided
        upon when it was stored, and is neither stored nor decided upon again. What a worker says
        whose attempt is over is not heard.

        Raises:
            ValueError: the value is not finite; a diverged trial is to be failed instead.
        """
        record = self.trials[number]
        if not record.is_running or attempt != record.attempts:
            return False
        if result.val_accuracy is None or not math.isfinite(result.val_accuracy):
            raise ValueError(f"{record.id}: val_accuracy must be finite, got {result.val_accuracy}")
        self.limits.note_time()
        new = result if result.epoch not in record.epochs else None
        moved = host if host != record.host else None
        self._entries.report(number, new, moved, self.limits.seconds)
        record.host = host
        if new:
            record.epochs[result.epoch] = result
            self._decide(record, result.epoch)
        if record.is_running and self.limits.is_time_up:
            self._pause(record)
        if record.is_running:
            self.observe(record)
        return record.is_running

    def fail(self, number: int, *, kind: str, error: str, attempt: int | None = None) -> None:
        """End a trial that crashed or diverged; one that is already at its end stays as it is.

        Args:
            number: of the trial.
            kind: such as `diverged`, for counting.
            error: one line for the table.
            attempt: of the worker that says so; one whose attempt is over is not heard.
        """
        record = self.trials[number]
        if record.is_running and attempt in (None, record.attempts):
            self.limits.note_time()
            self._finish(record, "FAIL", kind, error_kind=kind, error=error)

    def keep_time(self) -> None:
        """Store the time that the search has taken until its last report."""
        self._entries.keep_seconds(self.limits.seconds)

    def _payable_again(self) -> list[int]:
        """Return Optuna's numbers of the paused trials that can go on now."""
        stored = self._study.get_trials(deepcopy=False)
        paused = [t for t in self.trials if t.is_paused and not self.limits.broken_by(t)]
        return [stored[trial.number]._trial_id for trial in paused]

    def _pause_unpaid(self) -> None:
        """Close the waiting trials that cannot go on in this start."""
        for record in [self.trials[number] for number in self._orphans]:
            if self.limits.broken_by(record):
                self._orphans.remove(record.number)
                self._pause(record)

    def _settle(self) -> None:
        """Do what a kill left half done: one suggestion, one decision or one end at the most."""
        stored, newest = self._study.get_trials(deepcopy=False), self.num_events
        for record in [t for t in self.trials if t.is_running]:
            trial = stored[record.number]
            event = newest_event(trial)
            if ASK not in trial.user_attrs:
                self._asker.complete(record)
            elif END in trial.user_attrs:
                self._entries.tell(record, trial.user_attrs[END]["state"])
                self._note_end(record, trial.user_attrs[END]["state"])
            elif event and (event.kind, event.seq) == ("epoch", newest):
                self._decide(record, event.epoch)
        keep_choice(self._study, self.rules.choice(self.trials))
        self.take_back()

    def _decide(self, record: TrialRecord, epoch: int) -> None:
        """End a trial whose newest epoch was its last, or lost at a rung."""
        if end := self.rules.end_after(self.trials, record, epoch):
            self._finish(record, *end)

    def _finish(
        self, record: TrialRecord, state: str, reason: str, *, error_kind: str = "", error: str = ""
    ) -> None:
        end = {"state": state, "stop_reason": reason, "error_kind": error_kind, "error": error}
        self._entries.close(record, END, end, state, self.limits.seconds)
        record.finish(**end)
        self._note_end(record, state)

    def _pause(self, record: TrialRecord) -> None:
        """Close a trial until the budget grows."""
        name, content = (
            pause_attribute(self.num_events + 1),
            {"limit": self.limits.broken_by(record)},
        )
        self._entries.close(record, name, content, "PRUNED", self.limits.seconds)
        record.state, record.stop_reason = "PRUNED", BUDGET
        self.observe(record)

    def _note_end(self, record: TrialRecord, state: str) -> None:
        record.state = state
        keep_choice(self._study, self.rules.choice(self.trials))
        self.observe(record)
