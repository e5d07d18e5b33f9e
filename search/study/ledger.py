"""The study, the only truth: suggest, report, finish, resume. One writer, the driver.

Every suggestion, every epoch's value and every end of a trial is stored before anyone acts on it,
numbered in the order in which it came: a start after any interruption finds all there is to know,
and `search.study.replay` derives every decision again.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from search.study.entries import Entries
from search.study.events import ASK, END, epoch_attribute, last_seq
from search.study.header import (
    STUDY_NAME,
    bind_images,
    create_study,
    keep_choice,
    load_study,
    refuse_damage,
    stored_config,
)
from search.study.limits import EpochBudget
from search.study.records import Host, Suggestion, TrialRecord, read_record
from search.study.rules import Rules
from search.study.samplers import distributions, enqueue, finish_asking, hashed_seed, make_sampler
from search.study.space import StudyConfig
from search.study.transaction import one_transaction
from seresnet.epoch import EpochResult
from seresnet.failpoints import reach

optuna.logging.set_verbosity(optuna.logging.WARNING)
_log = logging.getLogger(__name__)


class Ledger:
    """A study with its rules: baseline and recipes first, then the sampler; stops at the rungs."""

    def __init__(self, storage: BaseStorage, study: optuna.Study, config: StudyConfig) -> None:
        self._storage = storage
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
        self._budget = EpochBudget(config.study, self.trials)

    @classmethod
    def open(
        cls, storage: BaseStorage, config: StudyConfig, *, study_name: str = STUDY_NAME
    ) -> "Ledger":
        """Return the study in this storage, made where it is missing.

        What a kill left half done is done first, before anything else can happen: so a suggestion
        and a decision are a function of what was stored before them, interrupted or not.

        Args:
            storage: on disk, or in memory for simulations and tests.
            config: must agree with the stored study in all that decides its trials.
            study_name: inside the storage.

        Raises:
            ConfigError: the stored study was made with other settings; the keys are named.
            DamagedStudyError: the study cannot be read, holds something else than was stored, or
                a newer version wrote it.
        """
        study = create_study(storage, config, study_name)
        refuse_damage(study)
        ledger = cls(storage, study, config)
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
        running = [t.number for t in self.trials if not t.is_finished]
        return len(running) + min(self._num_unasked, self._budget.num_payable(running))

    @property
    def num_open(self) -> int:
        """Trials still to be finished if the epochs paid for all of them."""
        return self._num_unasked + sum(not t.is_finished for t in self.trials)

    @property
    def may_suggest_later(self) -> bool:
        """Whether there may be a suggestion once a trial that now runs is at its end."""
        return bool(self._num_unasked and self.handed_out() and self._budget.num_payable([]))

    def take_back(self) -> None:
        """Take up all running trials anew: whoever carried them out is gone."""
        self._orphans = [t.number for t in self.trials if not t.is_finished]

    def hand_back(self, number: int) -> None:
        """Take up one running trial anew: its worker was gone before it began."""
        assert number in self.handed_out(), number
        self._orphans.append(number)

    def handed_out(self) -> list[int]:
        """Return the trials that somebody is carrying out now, by number."""
        waiting = set(self._orphans)
        return [t.number for t in self.trials if not t.is_finished and t.number not in waiting]

    def suggest(self) -> Suggestion | None:
        """Return the next trial: one that was interrupted, else a new one; none when all are out.

        Also none while the epochs pay for no more: see `may_suggest_later`. A new suggestion is a
        function of (seed, trial number, history).
        """
        if self._orphans:
            record = self.trials[self._orphans.pop(0)]
            self.begin_attempt(record.number)
        elif self._num_unasked and self._budget.num_payable(self.handed_out()):
            record = self._ask()
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
        if record.is_finished or attempt != record.attempts:
            return False
        if result.val_accuracy is None or not math.isfinite(result.val_accuracy):
            raise ValueError(f"{record.id}: val_accuracy must be finite, got {result.val_accuracy}")
        is_new = result.epoch not in record.epochs
        with one_transaction(self._storage):
            if record.host != host:
                self._entries.set(number, "host", dataclasses.asdict(host))
            if is_new:
                # The metrics first: an epoch counts as stored once its value is.
                metrics = dataclasses.asdict(result)
                self._entries.record(number, epoch_attribute(result.epoch), metrics)
                reach("before-value", record.id)
                self._entries.handle(number).report(result.val_accuracy, result.epoch)
        record.host = host
        if is_new:
            reach("after-value", record.id)
            self._entries.num_events += 1
            record.epochs[result.epoch] = result
            self._decide(record, result.epoch)
        if not record.is_finished:
            self.observe(record)
        return not record.is_finished

    def fail(self, number: int, *, kind: str, error: str, attempt: int | None = None) -> None:
        """End a trial that crashed or diverged; one that is already at its end stays as it is.

        Args:
            number: of the trial.
            kind: such as `diverged`, for counting.
            error: one line for the table.
            attempt: of the worker that says so; one whose attempt is over is not heard.
        """
        record = self.trials[number]
        if not record.is_finished and attempt in (None, record.attempts):
            self._finish(record, "FAIL", kind, error_kind=kind, error=error)

    @property
    def _num_unasked(self) -> int:
        return max(0, self.config.study.num_trials - len(self.trials))

    def _settle(self) -> None:
        """Do what a kill left half done: one suggestion, one decision or one end at the most."""
        stored, newest = self._study.get_trials(deepcopy=False), self.num_events
        for record in [t for t in self.trials if not t.is_finished]:
            trial = stored[record.number]
            if ASK not in trial.user_attrs:
                self._complete(record)
            elif END in trial.user_attrs:
                state = trial.user_attrs[END]["state"]
                self._entries.tell(record.number, state, record.value)
                self._note_end(record, state)
            elif record.epochs and last_seq(trial) == newest:
                self._decide(record, max(record.epochs))
        keep_choice(self._study, self.rules.choice(self.trials))
        self.take_back()

    def _ask(self) -> TrialRecord:
        record = TrialRecord(number=len(self.trials), params={})
        self._set_sampler(record.number)
        with one_transaction(self._storage):
            enqueue(self._study, self.rules.given(record.number))
            self._entries.hold(record.number, self._study.ask(distributions(self.config)))
            reach("in-ask", str(record.number))
            self._seal_suggestion(record)
            self._entries.set(record.number, "attempts", 1)
        record.attempts = 1
        self.trials.append(record)
        self._entries.num_events += 1
        return record

    def _complete(self, record: TrialRecord) -> None:
        """Draw what is missing of an interrupted suggestion, as it would have been drawn."""
        self._set_sampler(record.number)
        trial = self._entries.handle(record.number)
        finish_asking(self._study, trial, distributions(self.config))
        self._seal_suggestion(record)
        self._entries.num_events += 1

    def _seal_suggestion(self, record: TrialRecord) -> None:
        number, trial = record.number, self._entries.handle(record.number)
        is_integer = self.config.is_integer
        # The study file gives whole numbers as floats.
        values = trial.params.items()
        record.params = {name: int(v) if is_integer(name) else float(v) for name, v in values}
        record.name = self.rules.name_of(number)
        record.seed = hashed_seed(self.config.study.seed, number, 1)
        content = {"name": record.name, "seed": record.seed}
        self._entries.record(number, ASK, content, beside=record.params)

    def _set_sampler(self, number: int) -> None:
        self._study.sampler = make_sampler(self.config, number=number)

    def _decide(self, record: TrialRecord, epoch: int) -> None:
        """End a trial whose newest epoch was its last, or lost at a rung."""
        if end := self.rules.end_after(self.trials, record, epoch):
            self._finish(record, *end)

    def _finish(
        self, record: TrialRecord, state: str, reason: str, *, error_kind: str = "", error: str = ""
    ) -> None:
        end = {"state": state, "stop_reason": reason, "error_kind": error_kind, "error": error}
        with one_transaction(self._storage):
            self._entries.record(record.number, END, end)
            reach("before-tell", record.id)
            self._entries.tell(record.number, state, record.value)
        self._entries.num_events += 1
        record.finish(**end)
        self._note_end(record, state)

    def _note_end(self, record: TrialRecord, state: str) -> None:
        reach("after-tell", record.id)
        record.state = state
        self._entries.let_go(record.number)
        keep_choice(self._study, self.rules.choice(self.trials))
        self.observe(record)
