"""How far a trial's value may be off by chance: what differences are held against."""

import math
from dataclasses import dataclass

from search.study.snapshot import Snapshot
from search.study.verdict import points


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard error of one value."""

    size: float
    """A fraction, as accuracies are."""
    source: str
    """Where it is known from, for a person."""

    @property
    def text(self) -> str:
        """Size and source, such as `0.85 points (3,000 validation images)`."""
        return f"{points(self.size)} points ({self.source})"


def noise_of(snapshot: Snapshot) -> Noise | None:
    """Return the noise of a value; None where nothing says it.

    The confirmation has measured how far runs of one setting differ. Without it the number of
    validation images says how far an accuracy on others would differ. Of another trainable neither
    is known: its values may be no shares of images.
    """
    confirmation = snapshot.confirmation
    if confirmation is not None and confirmation.noise is not None:
        return Noise(confirmation.noise, "runs of the confirmation")
    best = snapshot.incumbent
    if best is None or best.value is None or not snapshot.config.is_seresnet:
        return None
    size = math.sqrt(best.value * (1 - best.value) / snapshot.num_val)
    return Noise(size, f"{snapshot.num_val:,} validation images") if size > 0 else None
