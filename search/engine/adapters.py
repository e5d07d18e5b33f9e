"""Ray Tune's searcher, scheduler and callback as windows onto the ledger: no decision is theirs."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.engine.cluster import MAX_RETRIES
from search.engine.course import Course
from search.engine.messages import Failure, Refusal, read_message
from search.study.records import trial_id

_log = logging.getLogger(__name__)


class _Unsaved:
    """Keeps the ledger out of Ray's own state files, which are never read back."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class LedgerSearcher(_Unsaved, Searcher):
    """Hands out what the ledger suggests, and tells it of trials whose worker is gone for good."""

    def __init__(self, course: Course) -> None:
        super().__init__(metric="val_accuracy", mode="max")
        self._ledger = course.ledger
        self._course = course
        self._numbers: dict[str, int] = {}

    def set_search_properties(self, *_: Any, **__: Any) -> bool:
        """Accept whatever Tune was told: the study's rules are the ledger's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return the next trial's configuration, that there is none left, or none for now."""
        suggestion = None if self._course.is_ending else self._ledger.suggest()
        if suggestion is None:
            may_come = self._ledger.may_suggest_later and not self._course.is_ending
            return None if may_come else Searcher.FINISHED
        self._numbers[trial_id] = suggestion.number
        return {**dataclasses.asdict(suggestion), "params": dict(suggestion.params)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Fail a trial that ended without the ledger's decision: its worker died too often.

        One that is cut short because the search ends stays as it is, whatever its worker did; so
        does one that was handed back, or paused.
        """
        number = self._numbers[trial_id]
        if not self._course.is_ending and number in self._ledger.handed_out():
            last = max(self._ledger.trials[number].epochs, default=0)
            died = f"the worker died {MAX_RETRIES + 1} times, at last after epoch {last}"
            self._ledger.fail(
                number,
                kind="worker-died" if error else "no-report",
                error=died if error else "the trial ended before its last epoch",
            )
        trial = self._ledger.trials[number]
        if trial.is_finished:
            self._course.trial_finished(trial)

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file, which Ray insists on: the study itself is on disk already."""
        Path(checkpoint_path).write_text("{}")

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing: the study is the only truth."""


class LedgerScheduler(_Unsaved, FIFOScheduler):
    """Puts every report before the ledger and passes its decision on."""

    def __init__(self, course: Course) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ledger = course.ledger
        self._course = course

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Return whether the trial goes on; the ledger has stored the report by then."""
        number, goes_on = trial.config["number"], False
        match read_message(result):
            case Refusal(error):
                self._course.machine_refused(error)
            case Failure(kind, error):
                self._ledger.fail(number, kind=kind, error=error, attempt=trial.config["attempt"])
            case message:
                goes_on = self._ledger.report(
                    number, message.result, message.host, attempt=message.attempt
                )
        goes_on = goes_on and not self._course.is_ending
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_error(self, controller: Any, trial: Trial) -> None:
        """Hand back a trial whose worker died before it began.

        Tune starts a running trial again, but gives up at once on one that waits: it hears of a
        worker that died while it changed over to its next trial once too often. The searcher is
        told of the error after this.
        """
        number = trial.config["number"]
        if trial.status == Trial.PENDING and number in self._ledger.handed_out():
            self._ledger.hand_back(number)
            _log.warning("%s: its worker died before it began; it waits again", trial_id(number))


class Recovery(_Unsaved, Callback):
    """Numbers the starts of a trial that Ray makes by itself after a worker died."""

    def __init__(self, course: Course) -> None:
        self._ledger = course.ledger
        self._course = course

    def on_step_begin(self, iteration: int, trials: list[Trial], **_: Any) -> None:
        """Take the signals back, of which Tune takes one for itself at its start."""
        if iteration <= 1:
            self._course.stop.install()

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Begin one more attempt, before Ray starts it: the old one's worker is heard no more."""
        number = trial.config["number"]
        record = self._ledger.trials[number]
        trial.config["attempt"] = self._ledger.begin_attempt(number)
        trial.config["epochs_stored"] = len(record.epochs)
        _log.warning(
            "%s: its worker died after epoch %d; retry %d of %d from the last checkpoint",
            trial_id(number), max(record.epochs, default=0), trial.num_failures, MAX_RETRIES,
        )  # fmt: skip
