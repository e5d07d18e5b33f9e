"""Is the winner better than the baseline, and is that shown?"""

import math

from search.study.checks.check import Check, Status
from search.study.checks.wording import command, percent
from search.study.confirmation import Confirmation
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.study.verdict import dunnett, points

_NAME = "gain over the baseline"
_MOST_SEEDS = 20


def check_gain(snapshot: Snapshot) -> Check:
    """Judge the gain: by fresh seeds if there are any, else by the search alone."""
    if snapshot.confirmation is not None:
        return _confirmed(snapshot, snapshot.confirmation)
    best, baseline = snapshot.incumbent, snapshot.baseline
    if best is None:
        return _without_winner(snapshot)
    if baseline is None or best.value is None:
        return _without_baseline(snapshot, best)
    return _unconfirmed(snapshot, best, baseline)


def _confirmed(snapshot: Snapshot, confirmation: Confirmation) -> Check:
    if confirmation.is_better:
        return Check(name=_NAME, status=Status.PASS, sentence=confirmation.sentence)
    advice = "nothing was gained: the baseline is what is retrained; other ranges may hold better"
    row = next(row for row in confirmation.entrants if row.trial == confirmation.winner)
    if row.name != "baseline":
        advice = "do not call it better"
        num_seeds = _seeds_needed(confirmation, row.gain or 0.0)
        if num_seeds is not None:
            asked = " ".join(str(11 + k) for k in range(num_seeds))
            advice += (
                f"; a gain of this size, if it is real, takes about {num_seeds} seeds to show: "
                + command(snapshot, "confirm", f"--seeds {asked}")
            )
    return Check(name=_NAME, status=Status.WARNING, sentence=confirmation.sentence, advice=advice)


def _seeds_needed(confirmation: Confirmation, gain: float) -> int | None:
    """Return how many seeds would show a gain of this size; None where twenty would not."""
    num = sum(not row.error for row in confirmation.entrants)
    if confirmation.noise is None or gain <= 0 or num < 2:
        return None
    for seeds in range(len(confirmation.terms.seeds) + 1, _MOST_SEEDS + 1):
        critical = dunnett(num - 1, (num - 1) * (seeds - 1))
        if gain > critical * confirmation.noise * math.sqrt(2 / seeds):
            return seeds
    return None


def _without_winner(snapshot: Snapshot) -> Check:
    if snapshot.trials and all(t.state == "FAIL" for t in snapshot.trials):
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"no trial of {len(snapshot.trials)} came to its end: all failed",
            advice="see error_kind and error in trials.csv",
        )
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence="no trial has come to its end yet, so nothing can be said",
        advice="look again when the search is further",
    )


def _without_baseline(snapshot: Snapshot, best: TrialRecord) -> Check:
    first = snapshot.trials[0]
    value = percent(best.value) if best.value is not None else ""
    if first.state == "FAIL":
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=(
                f"{best.id} has {value}, and nothing to compare it with: the baseline failed "
                f"({first.error_kind})"
            ),
            advice="see its error in trials.csv; mend it and search again under another --name",
        )
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence=f"{best.id} has {value}; the baseline is not at its end yet",
        advice="look again when it is",
    )


def _unconfirmed(snapshot: Snapshot, best: TrialRecord, baseline: float) -> Check:
    assert best.value is not None
    complete = sum(t.state == "COMPLETE" for t in snapshot.trials)
    advice = f"{command(snapshot, 'confirm')} compares them on fresh seeds"
    if not snapshot.config.is_seresnet:
        advice = "run both settings again with other seeds"
    if best.number == 0:
        others = f"the best of {complete} complete trials" if complete > 1 else "alone as yet"
        sentence = f"the baseline itself, {percent(baseline)}, is {others}: nothing is gained"
        advice = "" if complete > 1 else "look again when other trials are complete"
    elif best.value <= baseline:
        sentence = f"{best.id} and the baseline are equal at {percent(baseline)}"
    else:
        sentence = (
            f"{best.id} is {points(best.value - baseline)} points above the baseline "
            f"({percent(best.value)} against {percent(baseline)}) in the search alone: the best "
            f"of {complete} complete trials is too high by luck, and this state of the study is "
            "not confirmed"
        )
    return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=advice)
