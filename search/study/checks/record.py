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
    twins = list(_twins(snapshot))
    unequal = [name for name, first, second in twins if first != second]
    if unequal:
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"equal settings and seed gave different values: {', '.join(unequal)}",
            advice="see whether they ran on devices of one kind: each kind rounds in its own way",
        )
    told = f"; {count(len(twins), 'run')} made for two purposes, with equal values" if twins else ""
    again = command(snapshot, "replay")
    if replayed is None:
        sentence = f"nobody has derived the record again{told}"
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence, advice=again)
    if replayed.difference:
        return Check(
            name=_NAME,
            status=Status.FAIL,
            sentence=f"the record does not follow from its seed: {describe(replayed)}",
            advice=(
                "it was changed after it was made, or another version made it (see "
                f"provenance.json): {again}"
            ),
        )
    return Check(
        name=_NAME,
        status=Status.PASS,
        sentence=f"derived again from seed and record: {describe(replayed)}{told}",
        advice=f"all of them, which takes longer: {again}" if replayed.num_told else "",
    )


def _twins(snapshot: Snapshot) -> Iterator[tuple[str, float, float]]:
    """Yield runs of the confirmation that the ablation has too, by settings, with both values."""
    confirmation, ablation = snapshot.confirmation, snapshot.ablation
    if confirmation is None or ablation is None:
        return
    known = {
        confirmation.runs.get(name := f"{row.trial}-seed{seed}"): (name, value)
        for row in confirmation.entrants
        for seed, value in row.values.items()
    }
    for variant, values in ablation.values.items():
        for seed, value in zip(ablation.seeds, values, strict=True):
            settings = ablation.runs.get(f"{variant}-seed{seed}")
            if settings is not None and settings in known:
                name, first = known[settings]
                yield f"{name} {first} and {value}", first, value
