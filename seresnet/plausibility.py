"""Labels that look wrong: a mistaken layout or normalisation shows in them, though in no error."""

from collections.abc import Sequence

from torch import Tensor

_SPREAD = 0.3  # four submissions of 83 to 85% had 812 to 1211 of a balanced 1000 a class
_LEAST_AGREEMENT = 0.8  # four such teams agreed pairwise on 84.7 to 88.9%


def agreement(first: Tensor, second: Tensor) -> float:
    """Return on which share of the images two models give the same label.

    Args:
        first: (n, 10), logits or probabilities.
        second: the other model's.
    """
    return float((first.argmax(dim=1) == second.argmax(dim=1)).double().mean())


def doubts(histogram: Sequence[int], agreements: Sequence[float], accuracy: float) -> list[str]:
    """Return a line for each thing that a sound submission would hardly show.

    Args:
        histogram: how often each class was given; the classes are taken to be equally frequent.
        agreements: with models of other seeds.
        accuracy: of the models on validation images, [0, 1]. Two that are right so often agree at
            least on its square, if they err independently.
    """
    found = []
    expected = sum(histogram) / len(histogram)
    # Few images spread by luck alone, and a weak model mistakes one class for another.
    allowed = max(_SPREAD * expected, 4 * (1 - accuracy) * expected, 4 * expected**0.5)
    for k, count in enumerate(histogram):
        if abs(count - expected) > allowed:
            most = f"{max(0, round(expected - allowed))} to {round(expected + allowed)}"
            found.append(f"class {k} was given {count} times, where {most} would be usual")
    least = min(_LEAST_AGREEMENT, accuracy**2)
    for share in agreements:
        if share < least:
            usual = f"at least {least:.1%} would be usual"
            found.append(f"another seed's model agrees on {share:.1%} alone, where {usual}")
    return found
