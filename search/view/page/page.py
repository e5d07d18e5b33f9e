"""The verdict page: which sections there are, and in which order."""

from collections.abc import Sequence
from pathlib import Path

from search.study.checks.check import Check
from search.study.snapshot import Snapshot
from search.view.page.answer import lead
from search.view.page.cards import cards
from search.view.page.curves import curves
from search.view.page.document import document
from seresnet.files import write_text


def verdict_page(snapshot: Snapshot, checks: Sequence[Check]) -> str:
    """Return the page of a study, whole."""
    sections = [cards(checks), curves(snapshot)]
    return document(title=snapshot.name, lead=lead(snapshot), sections=sections)


def write_page(snapshot: Snapshot, checks: Sequence[Check], path: Path) -> None:
    """Write the page of a study."""
    write_text(path, verdict_page(snapshot, checks))
