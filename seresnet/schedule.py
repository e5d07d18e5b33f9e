"""Learning rate over a run: linear warm-up, then half a cosine."""

import math


def lr_factor(epoch: int, *, warmup_epochs: int, epochs: int, end_factor: float) -> float:
    """Return the learning rate in one epoch as a fraction of its peak.

    The cosine spans the epochs after the warm-up and would reach `end_factor` one epoch after the
    last, as the seed recipe's `CosineAnnealingLR(T_max=epochs - warmup_epochs)` does.

    Args:
        epoch: from 0, the epoch to be trained; [0, epochs).
        warmup_epochs: the peak is reached in the last of these; [0, epochs).
        epochs: length of the whole schedule.
        end_factor: the cosine's end as a fraction of the peak; [0, 1].

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, equation 5.
    """
    if epoch < warmup_epochs:
        return (epoch + 1) / warmup_epochs
    progress = (epoch - warmup_epochs) / (epochs - warmup_epochs)
    return end_factor + (1 - end_factor) * (1 + math.cos(math.pi * progress)) / 2
