"""A storm of failures ends the search before it has burnt every trial."""

from math import ceil
from typing import Literal

from search.study.records import TrialRecord

_IN_A_ROW = 3
_LEAST, _SHARE = 5, 0.2


def failure_limit(limit: int | Literal["auto"], num_trials: int) -> int:
    """Return how many failed trials are too many; auto is 5 or a fifth of all trials."""
    return max(_LEAST, ceil(_SHARE * num_trials)) if limit == "auto" else limit


class Breaker:
    """Counts the trials that failed in this start; a diverged one is a result, not a failure.

    Args:
        limit: failed trials that end the search, see `failure_limit`.
        num_trials: of the study.
        has_success: whether some trial has ended well before.
    """

    def __init__(
        self, limit: int | Literal["auto"], num_trials: int, *, has_success: bool = False
    ) -> None:
        self._limit = failure_limit(limit, num_trials)
        self._errors: list[str] = []
        self._has_success = has_success

    def note(self, trial: TrialRecord) -> str:
        """Take note of a finished trial; return why the search is to end, or nothing."""
        if trial.state != "FAIL":
            self._has_success = True
        elif trial.error_kind != "diverged":
            self._errors.append(f"{trial.error_kind}: {trial.error}")
        if not self._errors:
            return ""
        newest = self._errors[-_IN_A_ROW:]
        if not self._has_success and len(newest) == _IN_A_ROW and len(set(newest)) == 1:
            return f"the first {_IN_A_ROW} trials failed alike: {newest[0]}"
        if len(self._errors) >= self._limit:
            common = max(set(self._errors), key=self._errors.count)
            times = self._errors.count(common)
            return f"{len(self._errors)} trials failed, {times} of them with {common}"
        return ""
