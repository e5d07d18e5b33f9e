"""Is the winner better than the baseline, and is that shown?"""

import math

from search.study.checks.check import Check, Status
from search.study.checks.wording import called, command, percent
from search.study.confirmation import Confirmation
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.study.verdict import dunnett, points

_NAME = "gain over the baseline"
_MOST_SEEDS = 20


def check_gain(snapshot: Snapshot) -> Check:
    """Judge the gain: by fresh seeds if there are any, else by the search alone."""
    best, baseline = snapshot.incumbent, snapshot.baseline
    if snapshot.confirmation is not None:
        return _confirmed(snapshot, snapshot.confirmation)
    if best is None:
        return _without_winner(snapshot)
    if baseline is None:
        return _without_baseline(snapshot, best)
    return _unconfirmed(snapshot, best, baseline)


def _confirmed(snapshot: Snapshot, confirmation: Confirmation) -> Check:
    status = Status.PASS if confirmation.is_better else Status.WARNING
    row = confirmation.best
    advice = ""
    if row.name == "baseline":
        advice = "the baseline is what is retrained; look for better in other ranges"
    elif not confirmation.is_better:
        advice = "do not call it better" + _more_seeds(snapshot, confirmation, row.gain or 0.0)
    return Check(name=_NAME, status=status, sentence=confirmation.sentence, advice=advice)


def _more_seeds(snapshot: Snapshot, confirmation: Confirmation, gain: float) -> str:
    """Return how many seeds would show a gain of this size, if at most twenty would."""
    num = sum(not row.error for row in confirmation.entrants)
    if confirmation.noise is None or gain <= 0 or num < 2:
        return ""
    for num_seeds in range(len(confirmation.terms.seeds) + 1, _MOST_SEEDS + 1):
        critical = dunnett(num - 1, (num - 1) * (num_seeds - 1))
        if gain > critical * confirmation.noise * math.sqrt(2 / num_seeds):
            first = min(confirmation.terms.seeds)
            seeds = " ".join(str(first + k) for k in range(num_seeds))
            asked = command(snapshot, "confirm", f"--seeds {seeds}")
            return f"; if the gain is real, about {num_seeds} seeds would show it: {asked}"
    return ""


def _without_winner(snapshot: Snapshot) -> Check:
    trials = snapshot.trials
    if trials and all(t.state == "FAIL" for t in trials):
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"none of {len(trials)} trials came to its end: all failed",
            advice="the columns error_kind and error of trials.csv say why",
        )
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence="no trial has come to its end yet, so nothing can be said of a gain",
        advice="look again when the search is further",
    )


def _without_baseline(snapshot: Snapshot, best: TrialRecord) -> Check:
    assert best.value is not None  # it is complete
    first, value = snapshot.trials[0], percent(best.value)
    if first.state == "FAIL":
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"{called(best)} has {value}, and there is nothing to compare it with: "
            f"the baseline failed ({first.error_kind})",
            advice="its error stands in trials.csv; mend it and search again under another --name",
        )
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence=f"{called(best)} has {value}, and the baseline is not at its end yet",
        advice="look again when it is",
    )


def _unconfirmed(snapshot: Snapshot, best: TrialRecord, baseline: float) -> Check:
    assert best.value is not None  # it is complete
    complete = sum(t.state == "COMPLETE" for t in snapshot.trials)
    if complete == 1:
        sentence = f"the baseline has {percent(baseline)}, and no other trial is complete yet"
        advice = "look again when others are"
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=advice)
    advice = f"train them on fresh seeds: {command(snapshot, 'confirm')}"
    if not snapshot.config.is_seresnet:
        advice = "train both settings again with other seeds"
    if best.number == 0:
        sentence = (
            f"nothing is gained: the baseline itself, {percent(baseline)}, is the best of "
            f"{complete} complete trials"
        )
        advice = "look for better in other ranges, or with more trials"
    else:
        sentence = (
            f"not confirmed: {called(best)} is {points(best.value - baseline)} points above the "
            f"baseline in the search ({percent(best.value)}, {percent(baseline)}), but luck had a "
            f"part in which of {complete} complete trials is the best"
        )
    return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=advice)
