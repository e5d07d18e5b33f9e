"""The study, the only truth: suggest, report, finish, resume. One writer, the driver.

Every suggestion, every epoch's value and every end of a trial is stored before anyone acts on it,
so that a start after any interruption finds all there is to know.
"""

import dataclasses
import logging
import math
import uuid
from collections.abc import Callable, Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from search.study.config import loads
from search.study.errors import DamagedStudyError
from search.study.records import Host, Suggestion, TrialRecord, epoch_attribute, read_record
from search.study.rungs import is_stopped, rung_epochs
from search.study.samplers import distributions, finish_asking, hashed_seed, make_sampler
from search.study.space import StudyConfig, changed_keys, dump_study
from seresnet.epoch import EpochResult
from seresnet.errors import ConfigError, DataError

optuna.logging.set_verbosity(optuna.logging.WARNING)
_log = logging.getLogger(__name__)
_STUDY_NAME = "search"


class Ledger:
    """A study with its rules: baseline and recipes first, then the sampler; stops at the rungs."""

    def __init__(self, study: optuna.Study, config: StudyConfig) -> None:
        self._study = study
        self.config = config
        self.observe: Callable[[TrialRecord], object] = lambda trial: None
        """Called after each change of a trial, when it is stored."""
        # A trial that waits was chosen but never handed out: asking takes it up again.
        stored = study.get_trials(deepcopy=False)
        self.trials = [read_record(t) for t in stored if t.state != TrialState.WAITING]
        self._handles: dict[int, Trial] = {}
        self._orphans = [t.number for t in self.trials if t.state == "RUNNING"]
        self._fixed = [("baseline", config.baseline), *config.recipes.items()]
        budget = config.study
        self._rungs = rung_epochs(
            min_epochs=budget.min_epochs,
            max_epochs=budget.max_epochs,
            reduction_factor=budget.reduction_factor,
        )[:-1]

    @classmethod
    def open(cls, storage: BaseStorage, config: StudyConfig) -> "Ledger":
        """Return the study in this storage, made where it is missing.

        Args:
            storage: on disk, or in memory for simulations and tests.
            config: must agree with the stored study in all that decides its trials.

        Raises:
            ConfigError: the stored study was made with other settings; the keys are named.
        """
        study = optuna.create_study(
            study_name=_STUDY_NAME, storage=storage, direction="maximize", load_if_exists=True
        )
        if "config" in study.user_attrs:
            _refuse_changes(_stored_config(study), config)
        else:
            study.set_user_attr("id", uuid.uuid4().hex)
        study.set_user_attr("config", dump_study(config))
        ledger = cls(study, config)
        if config.study.num_trials < len(ledger.trials):
            _log.warning("study.num_trials is below the trials that the study holds already")
        return ledger

    @classmethod
    def load(cls, storage: BaseStorage) -> "Ledger":
        """Return a study that exists, with the settings it holds.

        Raises:
            DamagedStudyError: the storage holds no such study.
        """
        try:
            study = optuna.load_study(study_name=_STUDY_NAME, storage=storage)
            config = _stored_config(study)
        except KeyError as error:
            raise DamagedStudyError("study.db: holds no study of this program") from error
        return cls(study, config)

    def bind_images(self, report: Mapping[str, object]) -> None:
        """Keep the hashes of the study's images; refuse others on a later start.

        Raises:
            DataError: the study was made with other images: its values would not compare.
        """
        hashes = {key: report[key] for key in ("train_sha256", "val_sha256")}
        stored = self._study.user_attrs.get("images")
        if stored is None:
            self._study.set_user_attr("images", hashes)
        elif stored != hashes:
            raise DataError(
                "the images are not those that the study was made with (SHA-256 differs)",
                "name the same --data folder, or start another study with --name",
            )

    @property
    def id(self) -> str:
        """Identity of the study, made at its birth."""
        return str(self._study.user_attrs["id"])

    @property
    def num_remaining(self) -> int:
        """Trials still to be finished, those now running included."""
        unasked = max(0, self.config.study.num_trials - len(self.trials))
        return unasked + sum(not t.is_finished for t in self.trials)

    def suggest(self) -> Suggestion | None:
        """Return the next trial: one that was interrupted, else a new one; none when all are out.

        A new suggestion is a function of (seed, trial number, history).
        """
        if self._orphans:
            record = self.trials[self._orphans.pop(0)]
            self._complete(record)
        elif len(self.trials) < self.config.study.num_trials:
            record = self._ask()
        else:
            return None
        # Functions of the number alone, so that nothing is lost by a kill before they are stored.
        is_fixed = record.number < len(self._fixed)
        record.name = self._fixed[record.number][0] if is_fixed else ""
        record.seed = hashed_seed(self.config.study.seed, record.number, 1)
        # A kill in the middle of an end leaves its reason behind; the trial is to be ended anew.
        record.stop_reason = record.error_kind = record.error = ""
        for attribute in ("name", "seed", "stop_reason", "error_kind", "error"):
            self._set(record, attribute, getattr(record, attribute))
        self.note_attempt(record.number)
        return Suggestion(
            number=record.number, params=record.params, seed=record.seed, attempt=record.attempts
        )

    def note_attempt(self, number: int) -> None:
        """Count one more start of a trial."""
        record = self.trials[number]
        record.attempts += 1
        self._set(record, "attempts", record.attempts)

    def report(self, number: int, result: EpochResult, host: Host) -> bool:
        """Store an epoch; decide, store and return whether the trial goes on.

        An epoch that the study holds already, as a resumed trial reports its last one, is decided
        upon again but not stored again.

        Raises:
            ValueError: the value is not finite; a diverged trial is to be failed instead.
        """
        record = self.trials[number]
        if record.is_finished:
            return False
        if result.val_accuracy is None or not math.isfinite(result.val_accuracy):
            raise ValueError(f"{record.id}: val_accuracy must be finite, got {result.val_accuracy}")
        if record.host != host:
            record.host = host
            self._set(record, "host", dataclasses.asdict(host))
        if result.epoch not in record.epochs:
            # The metrics first: an epoch counts as stored once its value is.
            self._set(record, epoch_attribute(result.epoch), dataclasses.asdict(result))
            self._handle(number).report(result.val_accuracy, result.epoch)
            record.epochs[result.epoch] = result
        if result.epoch >= self.config.study.max_epochs:
            self._finish(record, "COMPLETE", "max_epochs")
        elif self._is_stopped(record, result.epoch):
            self._finish(record, "PRUNED", f"rung {result.epoch}")
        else:
            self.observe(record)
        return not record.is_finished

    def fail(self, number: int, *, kind: str, error: str) -> None:
        """End a trial that crashed or diverged; one that is already at its end stays as it is."""
        record = self.trials[number]
        if record.is_finished:
            return
        record.error_kind, record.error = kind, error
        self._set(record, "error_kind", kind)
        self._set(record, "error", error)
        self._finish(record, "FAIL", kind)

    def is_exempt(self, number: int) -> bool:
        """Return whether a trial is never stopped: the baseline and the recipes are not."""
        return number < len(self._fixed) or self.config.pruner.name == "none"

    def _ask(self) -> TrialRecord:
        number = len(self.trials)
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if number < len(self._fixed) and not waiting:
            self._study.enqueue_trial(dict(self._fixed[number][1]))
        self._set_sampler(number)
        self._handles[number] = trial = self._study.ask(distributions(self.config))
        record = TrialRecord(number=number, params=self._params(trial))
        self.trials.append(record)
        return record

    def _complete(self, record: TrialRecord) -> None:
        """Draw what is missing of an interrupted suggestion, as it would have been drawn."""
        if len(record.params) == len(self.config.space):
            return
        self._set_sampler(record.number)
        trial = self._handle(record.number)
        finish_asking(self._study, trial, distributions(self.config))
        record.params = self._params(trial)

    def _set_sampler(self, number: int) -> None:
        seed = hashed_seed(self.config.study.seed, number)
        self._study.sampler = make_sampler(self.config.sampler, seed=seed)

    def _params(self, trial: Trial) -> dict[str, float]:
        """Return a trial's values; the study file gives whole numbers as floats."""
        is_integer = self.config.is_integer
        return {name: int(v) if is_integer(name) else v for name, v in trial.params.items()}

    def _is_stopped(self, record: TrialRecord, epoch: int) -> bool:
        if epoch not in self._rungs or self.is_exempt(record.number):
            return False
        at_rung = [t.epochs[epoch].val_accuracy for t in self.trials if epoch in t.epochs]
        values = [value for value in at_rung if value is not None]
        own = record.epochs[epoch].val_accuracy
        assert own is not None  # report() refuses such a result
        return is_stopped(own, values, reduction_factor=self.config.study.reduction_factor)

    def _finish(self, record: TrialRecord, state: str, stop_reason: str) -> None:
        self._set(record, "stop_reason", stop_reason)
        record.stop_reason = stop_reason
        # tell(PRUNED) takes no value: the study keeps the last one reported
        values = [record.value] if state == "COMPLETE" and record.value is not None else None
        self._study.tell(record.number, values, state=TrialState[state])
        record.state = state
        self._handles.pop(record.number, None)
        self.observe(record)

    def _handle(self, number: int) -> Trial:
        if number not in self._handles:
            frozen = self._study.get_trials(deepcopy=False)[number]
            self._handles[number] = Trial(self._study, frozen._trial_id)
        return self._handles[number]

    def _set(self, record: TrialRecord, name: str, value: object) -> None:
        self._handle(record.number).set_user_attr(name, value)


def _stored_config(study: optuna.Study) -> StudyConfig:
    try:
        return loads(study.user_attrs["config"], StudyConfig, name="study.db")
    except ConfigError as error:
        raise DamagedStudyError(
            f"study.db: its settings cannot be read, perhaps of a newer version: {error.message}",
            "use the version that made the study, or start another with --name",
        ) from error


def _refuse_changes(old: StudyConfig, new: StudyConfig) -> None:
    lines = [f"the study was made with other settings: {c}" for c in changed_keys(old, new)]
    if lines:
        hint = "restore these keys, or start another study with --name"
        raise ConfigError("\n".join(lines), hint)
