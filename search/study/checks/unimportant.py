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
    sentence = _describe(found, len(judged(snapshot.trials)))
    if snapshot.ablation is not None:
        # Trained anew, which tells more than any statistics of the search.
        sentence = f"{snapshot.ablation.sentence} (ablation); {sentence}"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    below = [each.name for each in found if not each.is_above_noise]
    if found and not below:
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    return Check(
        name=_NAME, status=Status.WARNING, sentence=sentence, advice=_advise(snapshot, found)
    )


def _describe(found: Sequence[Importance], num_trials: int) -> str:
    over = count(num_trials, "trial")
    if not found:
        return f"{over} cannot tell any hyperparameter from noise: it takes {LEAST_TRIALS}"
    above = [f"{each.name} ({_by(each)})" for each in found if each.is_above_noise]
    below = [each.name for each in found if not each.is_above_noise]
    if not above:
        return f"{over} tell none of {', '.join(below)} from noise"
    told = f"over {over}, what can be told from noise is {', '.join(above)}"
    return f"{told}; what cannot is {', '.join(below)}" if below else told


def _by(each: Importance) -> str:
    share = f"{each.share:.0%} of the importance"
    return share if each.share > each.noise else f"{share}, and all values bend with it"


def _advise(snapshot: Snapshot, found: Sequence[Importance]) -> str:
    advice = "look again when more trials are at their end"
    if any(each.is_above_noise for each in found):
        advice = "a next study may leave the others at the baseline"
    if snapshot.config.is_seresnet and snapshot.winner is not None:
        advice += f"; what the winner loses without each: {command(snapshot, 'ablate')}"
    return advice
