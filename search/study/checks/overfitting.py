"""Does the winner get worse on validation images while it still trains?

The gap between training and validation loss says nothing here: the training loss has label
smoothing and mixup in it, the validation loss has neither.
"""

import math

from search.study.checks.check import Check, Status
from search.study.checks.noise import noise_of
from search.study.checks.wording import percent
from search.study.guard import smoothed
from search.study.snapshot import Snapshot
from search.study.verdict import points

_NAME = "overfitting"
_LEAST_EPOCHS = 4
_RISE = 0.05  # of the validation loss above its lowest


def check_overfitting(snapshot: Snapshot) -> Check:
    """Compare the winner's last epochs with its best ones."""
    winner = snapshot.winner
    if winner is None or len(winner.epochs) < _LEAST_EPOCHS:
        sentence = "no complete trial has a curve that is long enough to tell"
        return Check(name=_NAME, status=Status.WARNING, sentence=sentence)
    most = snapshot.config.study.max_epochs
    results = [winner.epochs[epoch] for epoch in sorted(winner.epochs)]
    accuracies = [r.val_accuracy for r in results if r.val_accuracy is not None]
    means = [smoothed(accuracies, e, max_epochs=most) for e in range(1, len(accuracies) + 1)]
    best = max(range(len(means)), key=lambda k: means[k])
    fall = means[best] - means[-1]
    rise = _rise([r.val_loss for r in results])
    noise = noise_of(snapshot)
    limit = noise.size if noise else 0.0
    told = f"{winner.id}: accuracy (mean of a twelfth of the epochs) "
    if fall > 0:
        told += (
            f"is {points(fall)} points below its best at epoch {best + 1} ({percent(means[best])})"
        )
    else:
        told += f"is highest at the end ({percent(means[-1])})"
    if rise is not None:
        epoch, share = rise
        told += (
            f"; validation loss is {share:.0%} above its lowest at epoch {epoch}"
            if share > 0
            else "; validation loss is lowest at the end"
        )
    return told and Check(
        name=_NAME,
        status=Status.WARNING if fall > limit else Status.PASS,
        sentence=told,
    )


def _rise(losses: list[float | None]) -> tuple[int, float] | None:
    known = [loss for loss in losses if loss is not None]
    if len(known) < len(losses) or not known:
        return None
    lowest = min(range(len(known)), key=lambda k: known[k])
    if known[lowest] <= 0 or not math.isfinite(known[-1]):
        return None
    return lowest + 1, known[-1] / known[lowest] - 1
