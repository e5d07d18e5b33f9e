"""One verdict on a study: a sentence with its number, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How grave it is."""

    PASS = "PASS"
    WARNING = "WARNING"
    """Look at it; also where a study is too small to tell."""
    FAIL = "FAIL"
    """The result should not be relied on before this is mended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One card of the verdict page."""

    name: str
    """What was looked at, in two or three words."""
    status: Status
    sentence: str
    """What was found, with its number."""
    advice: str = ""
    """What to do; empty where nothing is to be done."""
