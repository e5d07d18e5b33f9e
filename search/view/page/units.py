"""How the objective is written: per cent where it is an accuracy, as it comes where it is not."""

import re
from dataclasses import dataclass

from search.study.snapshot import Snapshot

NONE = "-"
_NAMED = re.compile(r"[\d_]|\w\.\w")  # trials, hyperparameters, keys, commands


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """Of the value that a study maximises."""

    name: str
    """Of an axis or a column."""
    gain: str
    """What a column of differences is called."""
    ticks: str
    """Format of an axis, d3's."""
    hover: str
    """Format of a value that is pointed at, d3's."""
    is_share: bool
    """Whether values are fractions."""

    def value(self, value: float | None) -> str:
        """Return a value as text, a dash where there is none."""
        if value is None:
            return NONE
        return f"{value:.2%}" if self.is_share else f"{value:.5g}"

    def signed(self, value: float | None) -> str:
        """Return a difference for a column that names its unit, a dash where there is none."""
        if value is None:
            return NONE
        return f"{100 * value:+.2f}" if self.is_share else f"{value:+.4g}"

    def difference(self, value: float | None) -> str:
        """Return a difference with its sign and unit, a dash where there is none."""
        return self.signed(value) + (" points" if self.is_share and value is not None else "")


def units_of(snapshot: Snapshot) -> Units:
    """Return how the objective of a study is written."""
    if snapshot.config.is_seresnet:
        return _SHARES
    return _NUMBERS


_SHARES = Units(
    name="validation accuracy", gain="gain, points", ticks="~%", hover=".2%", is_share=True
)
_NUMBERS = Units(name="val_accuracy", gain="gain", ticks="", hover=".5g", is_share=False)


def setting(value: float) -> str:
    """Return the value of a hyperparameter as text."""
    return f"{value:.4g}"


def sentence(text: str) -> str:
    """Return what the terminal says in lower case as a sentence; a name in front stays a name."""
    first = text.split(" ", 1)[0]
    start = text[:1] if _NAMED.search(first) else text[:1].upper()
    return start + text[1:] + ("" if text.endswith((".", ":")) else ".")


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} hours"
