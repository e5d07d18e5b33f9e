"""Averaged weights: an exponential moving average, evaluated beside the raw ones.

Parameters and BatchNorm's running statistics are averaged alike: they belong to the weights they
were seen with.

Source: Polyak and Juditsky 1992; Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780.
"""


def decay_at(step: int, *, decay: float) -> float:
    """Return the decay after `step` optimiser steps (from 0): small at first, then `decay`.

    Without the ramp a short run would average in its random initial weights.
    """
    return min(decay, (1 + step) / (10 + step))
