"""ASHA as two pure functions of integers: where trials are judged, and who stops there.

Source: Li et al. 2020, "A system for massively parallel hyperparameter tuning",
https://arxiv.org/abs/1810.05934, Algorithm 2. Theirs promotes: a trial pauses at its rung and goes
on once it is among the best 1/eta of it, which needs paused trials and lets a worker find none to
promote. Ours stops: a trial that arrives is judged once, at once, against the values already there,
and goes on or ends. The first to arrive at a rung are therefore judged mildly, and nothing pauses.
"""

from collections.abc import Sequence


def rung_epochs(*, min_epochs: int, max_epochs: int, reduction_factor: int) -> list[int]:
    """Return the epochs at which a trial is judged, rising from `min_epochs` to `max_epochs`.

    Args:
        min_epochs: first rung; epochs, in [1, max_epochs].
        max_epochs: last rung, where a trial is complete; epochs.
        reduction_factor: each rung is so many times the one before, but the last, which may be
            nearer; integer >= 2.
    """
    assert 1 <= min_epochs <= max_epochs, (min_epochs, max_epochs)
    assert reduction_factor >= 2, reduction_factor
    rungs = []
    epochs = min_epochs
    # Integers throughout: min * factor**k through logarithms is off by one for some budgets.
    while epochs < max_epochs:
        rungs.append(epochs)
        epochs *= reduction_factor
    return [*rungs, max_epochs]


def is_stopped(value: float, values: Sequence[float], *, reduction_factor: int) -> bool:
    """Return whether a trial ends at a rung.

    It goes on while fewer than `reduction_factor` values are there, and else if it is among the
    best n // reduction_factor of them, at least one; ties are in its favour.

    Args:
        value: the trial's own, finite; higher is better.
        values: all values at the rung so far, its own included, in any order.
        reduction_factor: integer >= 2.
    """
    assert value in values, (value, values)
    if len(values) < reduction_factor:
        return False
    num_better = sum(other > value for other in values)
    return num_better >= len(values) // reduction_factor
