"""How many trials failed or diverged, and of what."""

from collections import Counter

from search.study.breaker import failure_limit
from search.study.checks.check import Check, Status
from search.study.checks.wording import count
from search.study.snapshot import Snapshot

_NAME = "failed trials"
_MANY, _MOST = 0.2, 0.5  # of the trials at their end


def check_failures(snapshot: Snapshot) -> Check:
    """Judge the share of trials that failed: a diverged one is a result, the others are not."""
    ended = [t for t in snapshot.trials if t.is_finished]
    failed = [t for t in ended if t.state == "FAIL" and t.error_kind != "diverged"]
    diverged = sum(t.state == "FAIL" for t in ended) - len(failed)
    if not failed and not diverged:
        sentence = f"no trial failed or diverged, of {len(ended)} at their end"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    budget = snapshot.config.study
    share = (len(failed) + diverged) / len(ended)
    is_storm = len(failed) >= failure_limit(budget.max_failed, budget.num_trials)
    status = Status.PASS
    if is_storm or share > _MOST:
        status = Status.FAIL
    elif failed or share > _MANY:
        status = Status.WARNING
    kinds = Counter(t.error_kind for t in failed)
    told = [f"{number} {kind}" for kind, number in kinds.most_common()]
    told += [f"{diverged} diverged"] if diverged else []
    ended_badly = count(len(failed) + diverged, "trial", "trials")
    sentence = f"{ended_badly} of {len(ended)} ended badly ({share:.0%}): {', '.join(told)}"
    return Check(name=_NAME, status=status, sentence=sentence, advice=_advise(status, diverged))


def _advise(status: Status, diverged: int) -> str:
    if status is Status.PASS:
        return ""
    advice = "the column error of trials.csv says why"
    if diverged:
        advice += "; where trials diverge, narrow the range that they share, or lower train.lr"
    return advice
