"""How many trials failed or diverged, and of what."""

from collections import Counter

from search.study.breaker import failure_limit
from search.study.checks.check import Check, Status
from search.study.checks.wording import count
from search.study.snapshot import Snapshot

_NAME = "failed trials"
_MANY, _MOST = 0.2, 0.5  # of the trials at their end
_DIVERGED = "diverged"
_REMEDIES = {
    _DIVERGED: "find the range that those which diverged share and narrow it, or lower train.lr",
    "cuda-oom": "run fewer trials on a GPU: --gpus-per-trial",
    "host-memory": "run fewer trials at once: --max-concurrent",
    "timeout": "see whether resources.epoch_timeout is too short",
}


def check_failures(snapshot: Snapshot) -> Check:
    """Judge the share of trials that failed: a diverged one is a result, the others are not."""
    ended = [t for t in snapshot.trials if t.is_finished]
    kinds = Counter(t.error_kind for t in ended if t.state == "FAIL")
    num_bad = kinds.total()
    if not num_bad:
        sentence = f"of {count(len(ended), 'trial')} at their end none failed or diverged"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    budget = snapshot.config.study
    num_failed, share = num_bad - kinds[_DIVERGED], num_bad / len(ended)
    is_storm = num_failed >= failure_limit(budget.max_failed, budget.num_trials)
    status = Status.PASS
    if is_storm or share > _MOST:
        status = Status.FAIL
    elif num_failed or share > _MANY:
        status = Status.WARNING
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common() if number)
    sentence = f"{num_bad} of {count(len(ended), 'trial')} ended badly ({share:.0%}): {told}"
    remedies = [remedy for kind, remedy in _REMEDIES.items() if kinds[kind]]
    advice = "; ".join(["the column error of trials.csv says why", *remedies])
    return Check(
        name=_NAME,
        status=status,
        sentence=sentence,
        advice="" if status is Status.PASS else advice,
    )
