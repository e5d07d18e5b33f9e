"""Is it fair to hold these studies side by side?"""

from collections.abc import Sequence

from search.study.checks.check import Check, Status
from search.study.snapshot import Snapshot
from search.study.space import differing_keys

_MOST_KEYS = 4
"""Keys that a sentence names."""
_ALIKE = 1.1
"""Efforts that differ by no more than this factor are called equal."""


def check_fairness(snapshots: Sequence[Snapshot]) -> list[Check]:
    """Return what is to be known before two studies or more are compared, one card each."""
    return [
        _objective(snapshots),
        _validation(snapshots),
        _training_images(snapshots),
        _schedule(snapshots),
        _baseline(snapshots),
        _settings(snapshots),
        _effort(snapshots),
        _ends(snapshots),
        _machines(snapshots),
    ]


def _named(snapshots: Sequence[Snapshot], values: Sequence[object]) -> str:
    """Return each study with its value, such as `a 60, b 12`."""
    return ", ".join(f"{each.name} {value}" for each, value in zip(snapshots, values, strict=True))


def _objective(snapshots: Sequence[Snapshot]) -> Check:
    name = "same objective"
    kinds = ["SE-ResNet" if each.config.is_seresnet else "another" for each in snapshots]
    if len(set(kinds)) == 1 and kinds[0] == "SE-ResNet":
        sentence = "each maximises the validation accuracy of averaged weights"
        return Check(name=name, status=Status.PASS, sentence=sentence)
    if len(set(kinds)) == 1:
        return Check(
            name=name,
            status=Status.WARNING,
            sentence="each maximises what its own trainable reports",
            advice="see that the trainables report the same thing",
        )
    return Check(
        name=name,
        status=Status.FAIL,
        sentence=f"they maximise different things: {_named(snapshots, kinds)}",
        advice="compare neither values nor gains",
    )


def _hashes(snapshots: Sequence[Snapshot], key: str) -> list[str]:
    return [str(each.images.get(key, "")) for each in snapshots]


def _validation(snapshots: Sequence[Snapshot]) -> Check:
    name, hashes = "same validation images", _hashes(snapshots, "val_sha256")
    if "" in hashes:
        return Check(
            name=name,
            status=Status.WARNING,
            sentence="a study has kept no hash of its images, so nobody can tell",
            advice="see data in its provenance.json",
        )
    if len(set(hashes)) == 1:
        sentence = f"each is judged on the same split, SHA-256 {hashes[0][:12]}"
        return Check(name=name, status=Status.PASS, sentence=sentence)
    sizes = _named(snapshots, [f"{each.num_val:,}" for each in snapshots])
    return Check(
        name=name,
        status=Status.FAIL,
        sentence=f"they are judged on different images ({sizes})",
        advice="search again with the same data.source, files and data.num_val",
    )


def _training_images(snapshots: Sequence[Snapshot]) -> Check:
    hashes = _hashes(snapshots, "train_sha256")
    other = "they train on different images, so a value is of the images too"
    if "" in hashes:
        other = "a study has kept no hash of its images, so nobody can tell"
    return _judged(
        "same training images",
        is_fair=len(set(hashes)) == 1 and "" not in hashes,
        fair=f"each trains on the same images, SHA-256 {hashes[0][:12]}",
        unfair=other,
        advice="compare gains over the baseline rather than values",
    )


def _judged(name: str, *, is_fair: bool, fair: str, unfair: str, advice: str) -> Check:
    """Return a card that passes, or warns and says what to do."""
    if is_fair:
        return Check(name=name, status=Status.PASS, sentence=fair)
    return Check(name=name, status=Status.WARNING, sentence=unfair, advice=advice)


def _schedule(snapshots: Sequence[Snapshot]) -> Check:
    lengths = [each.config.study.max_epochs for each in snapshots]
    return _judged(
        "same schedule",
        is_fair=len(set(lengths)) == 1,
        fair=f"a whole trial has {lengths[0]} epochs in each",
        unfair=f"whole trials differ in epochs: {_named(snapshots, lengths)}",
        advice="a longer schedule reaches more by itself: compare gains, not values",
    )


def _baseline(snapshots: Sequence[Snapshot]) -> Check:
    first = snapshots[0].config.baseline
    return _judged(
        "same baseline",
        is_fair=all(each.config.baseline == first for each in snapshots),
        fair="gains are over the same settings",
        unfair="gains are over different settings",
        advice="compare values, not gains",
    )


def _settings(snapshots: Sequence[Snapshot]) -> Check:
    """Judge what no trial varies: network, batch, precision and the like."""
    differing = differing_keys([each.config for each in snapshots])
    keys = [key for key in differing if key.startswith("train.")]
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return _judged(
        "same fixed settings",
        is_fair=not keys,
        fair="what no trial varies is the same in each",
        unfair=f"what no trial varies differs: {', '.join(keys[:_MOST_KEYS])}{more}",
        advice="a difference may be theirs, not the search's",
    )


def _effort(snapshots: Sequence[Snapshot]) -> Check:
    spent = [len(each.order) for each in snapshots]
    told = _named(snapshots, [f"{epochs:,}" for epochs in spent])
    return _judged(
        "equal effort",
        is_fair=max(spent) <= _ALIKE * min(spent),
        fair=f"epochs spent: {told}",
        unfair=f"epochs spent differ: {told}",
        advice=f"compare at {min(spent):,} epochs, which each has spent",
    )


def _ends(snapshots: Sequence[Snapshot]) -> Check:
    open_ = [each.name for each in snapshots if each.progress.is_open]
    return _judged(
        "at their ends",
        is_fair=not open_,
        fair="each has run all its trials, or used its budget",
        unfair=f"not finished: {', '.join(open_)}",
        advice="make this page anew when they are",
    )


def _machines(snapshots: Sequence[Snapshot]) -> Check:
    used = [
        sorted({(t.host.device, t.host.dtype) for t in each.trials if t.host is not None})
        for each in snapshots
    ]
    told = [" and ".join(f"{device} ({dtype})" for device, dtype in each) for each in used]
    return _judged(
        "same machines",
        is_fair=all(each == used[0] for each in used),
        fair=f"each ran on {told[0] or 'nothing yet'}",
        unfair=f"they ran on different devices: {_named(snapshots, told)}",
        advice="compare epochs, not hours",
    )
