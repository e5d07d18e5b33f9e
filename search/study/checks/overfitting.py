"""Does the winner get worse on validation images while it still trains?

The gap between training and validation loss would say nothing: the training loss has label
smoothing, mixup and dropout in it, and may lie above the other.
"""

from collections.abc import Sequence

from search.study.checks.check import Check, Status
from search.study.checks.noise import noise_of
from search.study.checks.wording import called, percent
from search.study.guard import smoothed
from search.study.snapshot import Snapshot
from search.study.verdict import points

_NAME = "train/validation gap"
_LEAST_EPOCHS = 4
_RISE = 0.05  # of the validation loss above its lowest
_LAST_PART = 1 / 3
_NOISES = 2  # the highest of many means lies above the last one by chance as well


def check_overfitting(snapshot: Snapshot) -> Check:
    """Compare the winner's last epochs with its best ones."""
    winner = snapshot.winner
    results = [winner.epochs[epoch] for epoch in sorted(winner.epochs)] if winner else []
    accuracies = [r.val_accuracy for r in results if r.val_accuracy is not None]
    if winner is None or len(accuracies) < _LEAST_EPOCHS:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"no complete trial has {_LEAST_EPOCHS} epochs, which it takes to tell",
            advice="look again when one has",
        )
    most = len(accuracies)
    means = [smoothed(accuracies, epoch, max_epochs=most) for epoch in range(1, most + 1)]
    best = means.index(max(means)) + 1
    fall, noise = max(means) - means[-1], noise_of(snapshot)
    rise = _rise([r.val_loss for r in results])
    is_early = best <= most * (1 - _LAST_PART)
    is_falling = noise is not None and fall > _NOISES * noise.size
    is_both = is_early and rise is not None and rise[1] > _RISE and fall > 0
    is_over = is_falling or is_both
    sentence = (
        f"the winner, {called(winner)}: {_describe(best, max(means), fall)}{_describe_loss(rise)}"
    )
    if is_falling and noise is not None:
        sentence += f", beside a noise of {noise.text}"
    advice = (
        f"train for about {best} epochs, or regularise more; the retraining's "
        f"{snapshot.config.retrain.epochs} epochs may make it worse"
    )
    return Check(
        name=_NAME,
        status=Status.WARNING if is_over else Status.PASS,
        sentence=sentence,
        advice=advice if is_over else "",
    )


def _describe(best: int, value: float, fall: float) -> str:
    what = "its validation accuracy, a mean over neighbouring epochs,"
    if fall <= 0:
        return f"{what} is at its highest at the end"
    return f"{what} ends {points(fall)} points below the {percent(value)} of epoch {best}"


def _rise(losses: Sequence[float | None]) -> tuple[int, float] | None:
    """Return the epoch of the lowest loss and by what part the last one lies above it.

    None where losses are not told, or no part of the lowest can be taken.
    """
    known = [loss for loss in losses if loss is not None]
    if len(known) < len(losses) or min(known) <= 0:
        return None
    lowest = min(known)
    return known.index(lowest) + 1, known[-1] / lowest - 1


def _describe_loss(rise: tuple[int, float] | None) -> str:
    if rise is None:
        return ""
    epoch, part = rise
    if part <= 0:
        return ", its validation loss at its lowest"
    return f"; its validation loss ends {part:.1%} above its lowest, of epoch {epoch}"
