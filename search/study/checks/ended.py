"""Is the study at its end, or is this a look in the middle?"""

from search.study.checks.check import Check, Status
from search.study.checks.wording import count
from search.study.snapshot import Snapshot

_NAME = "trials at their end"


def check_ended(snapshot: Snapshot) -> Check:
    """Say which trials are still to come."""
    progress = snapshot.progress
    told = f" ({progress.tally})" if progress.tally else ""
    num_left = progress.num_trials - progress.num_finished
    if not num_left:
        sentence = f"{count(progress.num_trials, 'trial')}, all at their end{told}"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    if progress.budget:
        sentence, _, advice = progress.budget.partition("; ")
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=advice)
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence=(
            f"{num_left} of {count(progress.num_trials, 'trial')} not at their end{told}: all that "
            "is said here may change"
        ),
        advice="if nothing runs now, the command that began the study goes on with it",
    )
