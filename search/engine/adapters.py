"""Ray Tune's searcher, scheduler and callback as windows onto the ledger: no decision is theirs."""

from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.engine.messages import Failure, read_message
from search.study.ledger import Ledger


class _Unsaved:
    """Keeps the ledger out of Ray's own state files, which are never read back."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class LedgerSearcher(_Unsaved, Searcher):
    """Hands out what the ledger suggests, and tells it of trials whose worker is gone for good."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(metric="val_accuracy", mode="max")
        self._ledger = ledger
        self._numbers: dict[str, int] = {}

    def set_search_properties(self, *_: Any, **__: Any) -> bool:
        """Accept whatever Tune was told: the study's rules are the ledger's."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next trial's configuration, or that there is none left."""
        suggestion = self._ledger.suggest()
        if suggestion is None:
            return Searcher.FINISHED
        self._numbers[trial_id] = suggestion.number
        return {
            "number": suggestion.number,
            "params": dict(suggestion.params),
            "seed": suggestion.seed,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Fail a trial that ended without the ledger's decision: its worker died too often."""
        self._ledger.fail(
            self._numbers[trial_id],
            kind="worker-died" if error else "no-report",
            error="the worker died" if error else "the trial ended before its last epoch",
        )

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file, which Ray insists on: the study itself is on disk already."""
        Path(checkpoint_path).write_text("{}")

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing: the study is the only truth."""


class LedgerScheduler(_Unsaved, FIFOScheduler):
    """Puts every report before the ledger and passes its decision on."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ledger = ledger

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Return whether the trial goes on; the ledger has stored the report by then."""
        number = trial.config["number"]
        message = read_message(result)
        if isinstance(message, Failure):
            self._ledger.fail(number, kind=message.kind, error=message.error)
            return str(TrialScheduler.STOP)
        goes_on = self._ledger.report(number, message.result, message.host)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class AttemptCounter(_Unsaved, Callback):
    """Counts the starts of a trial that Ray makes by itself after a worker died."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Note one more attempt."""
        self._ledger.note_attempt(trial.config["number"])
