"""The verdict page: which sections there are, and in which order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from search.study.checks.battery import run_checks
from search.study.checks.check import Check
from search.study.importance import Importance, importances
from search.study.replay import Verdict
from search.study.snapshot import Snapshot
from search.view.page.answer import lead
from search.view.page.best import best_so_far
from search.view.page.cards import cards
from search.view.page.curves import curves
from search.view.page.document import Section, document
from search.view.page.fresh import ablation, confirmation
from search.view.page.importance import importance
from search.view.page.mistakes import mistakes
from search.view.page.origin import config, provenance, reproduction
from search.view.page.parallel import parallel
from search.view.page.settings import settings
from search.view.page.trials import trials
from search.view.page.workers import workers
from seresnet.files import write_text


def verdict_page(
    snapshot: Snapshot, checks: Sequence[Check], found: Sequence[Importance], at: datetime
) -> str:
    """Return the page of a study, whole.

    Args:
        snapshot: of the study.
        checks: what is to be said of it.
        found: the importances of its hyperparameters.
        at: when it was looked at; with a time zone.
    """
    return document(
        title=snapshot.name, lead=lead(snapshot, at), sections=sections(snapshot, checks, found)
    )


def sections(
    snapshot: Snapshot, checks: Sequence[Check], found: Sequence[Importance]
) -> list[Section]:
    """Return the sections: what to check, what to see, what made it."""
    return [
        cards(snapshot, checks),
        confirmation(snapshot),
        curves(snapshot),
        best_so_far(snapshot),
        settings(snapshot),
        importance(found),
        parallel(snapshot),
        ablation(snapshot),
        workers(snapshot),
        mistakes(snapshot),
        trials(snapshot),
        config(snapshot),
        provenance(snapshot),
        reproduction(snapshot),
    ]


def write_page(snapshot: Snapshot, replayed: Verdict, path: Path) -> None:
    """Ask a study all there is to ask, and write its page.

    Args:
        snapshot: of the study.
        replayed: what came out when it was derived again.
        path: of the page.
    """
    found = importances(snapshot.config, snapshot.trials)
    checks = run_checks(snapshot, replayed=replayed, found=found)
    write_text(path, verdict_page(snapshot, checks, found, datetime.now(UTC)))
