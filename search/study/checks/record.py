"""Same seed, same result: are equal runs equal, and does the record derive again?"""

from collections.abc import Iterator

from search.study.checks.check import Check, Status
from search.study.checks.wording import command, count
from search.study.replay import Verdict, describe
from search.study.snapshot import Snapshot

_NAME = "same seed, same result"


def check_record(snapshot: Snapshot, replayed: Verdict | None = None) -> Check:
    """Compare runs of equal settings, and say what a replay has found.

    Args:
        snapshot: of the study.
        replayed: what `search.study.replay` found; None where nobody has asked.
    """
    pairs = list(_equal_runs(snapshot))
    unequal = [name for name, first, second in pairs if first != second]
    twins = f"{count(len(pairs), 'run')} made twice came out equal" if pairs else ""
    again = command(snapshot, "replay")
    if unequal:
        sentence = f"runs with equal settings and seed came out differently: {', '.join(unequal)}"
        advice = "see whether they ran on devices of one kind: each kind rounds in its own way"
        return Check(name=_NAME, status=Status.FAIL, sentence=sentence, advice=advice)
    if replayed is None:
        sentence = "the record was not derived again" + (f"; {twins}" if twins else "")
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=again)
    if replayed.difference:
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"the record does not derive again: {describe(replayed)}",
            advice=f"it was changed, or made by another version, see provenance.json; {again}",
        )
    told = "; ".join(filter(None, [describe(replayed), twins]))
    is_whole = replayed.num_suggestions == replayed.num_trials
    return Check(
        name=_NAME,
        status=Status.PASS,
        sentence=f"derived again from seed and record: {told}",
        advice="" if is_whole else f"the rest takes longer: {again}",
    )


def _equal_runs(snapshot: Snapshot) -> Iterator[tuple[str, float, float]]:
    """Yield runs of confirmation and ablation with the same settings and seed, with both values."""
    confirmation, ablation = snapshot.confirmation, snapshot.ablation
    if confirmation is None or ablation is None:
        return
    values = {
        confirmation.runs.get(f"{row.trial}-seed{seed}"): (f"{row.trial} seed {seed}", value)
        for row in confirmation.entrants
        for seed, value in row.values.items()
    }
    for variant, row in ablation.values.items():
        for seed, value in zip(ablation.seeds, row, strict=True):
            settings = ablation.runs.get(f"{variant}-seed{seed}")
            if settings is not None and settings in values:
                name, first = values[settings]
                yield name, first, value
