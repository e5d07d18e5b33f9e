"""All that a study is asked, the gravest questions first."""

from collections.abc import Sequence

from search.study.checks.check import Check
from search.study.checks.edges import check_edges
from search.study.checks.ended import check_ended
from search.study.checks.failures import check_failures
from search.study.checks.gain import check_gain
from search.study.checks.more_trials import check_more_trials
from search.study.checks.overfitting import check_overfitting
from search.study.checks.record import check_record
from search.study.checks.stopping import check_stopping
from search.study.checks.throughput import check_throughput
from search.study.checks.unimportant import check_unimportant
from search.study.importance import Importance
from search.study.replay import Verdict
from search.study.snapshot import Snapshot


def run_checks(
    snapshot: Snapshot,
    *,
    replayed: Verdict | None = None,
    found: Sequence[Importance] | None = None,
) -> list[Check]:
    """Return what is to be said of a study, one card each.

    Args:
        snapshot: of the study.
        replayed: what `search.study.replay` found; None where nobody has asked.
        found: what `search.study.importance` found, where it is known already.
    """
    return [
        check_gain(snapshot),
        check_failures(snapshot),
        check_record(snapshot, replayed),
        check_ended(snapshot),
        check_edges(snapshot),
        check_more_trials(snapshot),
        check_unimportant(snapshot, found),
        check_stopping(snapshot),
        check_overfitting(snapshot),
        check_throughput(snapshot),
    ]
