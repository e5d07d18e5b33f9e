"""Which hyperparameters cannot be told from noise?"""

from collections.abc import Sequence

from search.study.checks.check import Check, Status
from search.study.checks.wording import command, count
from search.study.importance import LEAST_TRIALS, Importance, importances, judged
from search.study.snapshot import Snapshot

_NAME = "hyperparameters that matter"


def check_unimportant(snapshot: Snapshot, found: Sequence[Importance] | None = None) -> Check:
    """Say which hyperparameters stand out from noise, and which do not.

    Args:
        snapshot: of the study.
        found: its importances, where they are known already.
    """
    if found is None:
        found = importances(snapshot.config, snapshot.trials)
    told = judged(snapshot.trials)
    ablate = f"{command(snapshot, 'ablate')} trains the winner without each"
    if not found:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=(
                f"{count(len(told), 'trial')} cannot tell any hyperparameter from noise: at least "
                f"{LEAST_TRIALS} can"
            ),
            advice=ablate if snapshot.incumbent is not None else "",
        )
    above = [each for each in found if each.is_above_noise]
    below = [each.name for each in found if not each.is_above_noise]
    stands = ", ".join(f"{e.name} ({e.share:.0%} of the importance)" for e in above)
    over = f"over {len(told)} trials"
    if not below:
        sentence = f"each stands out from noise {over}: {stands}"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    if not above:
        sentence = f"none of {len(found)} hyperparameters stands out from noise {over}"
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=ablate)
    return Check(
        name=_NAME,
        status=Status.WARNING,
        sentence=f"{stands} out from noise {over}; not told from it: {', '.join(below)}",
        advice=f"these could be left at the baseline in a next study; {ablate}",
    )
