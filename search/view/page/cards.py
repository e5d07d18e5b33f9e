"""The checks as cards: how grave in a word and a shape, a sentence, what to do."""

from collections.abc import Sequence

from search.study.checks.check import Check, Status
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.html import Html, tag
from search.view.page.units import sentence

_SHAPES = {Status.PASS: "✓", Status.WARNING: "▲", Status.FAIL: "✕"}
_ORDER = [Status.FAIL, Status.WARNING, Status.PASS]


def cards(snapshot: Snapshot, checks: Sequence[Check]) -> Section:
    """Return the section of the checks, the gravest first."""
    ordered = sorted(checks, key=lambda check: _ORDER.index(check.status))
    numbers = {status: sum(check.status is status for check in checks) for status in _ORDER}
    said = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    shown = tag("ul", [_card(check, snapshot) for check in ordered], class_="cards")
    parts = [tag("p", f"Checks: {said}.", class_="note"), shown] if checks else [_NONE]
    return Section(id="checks", title="Can it be relied on?", parts=parts)


_NONE = tag("p", "Nothing can be checked before the first trial.", class_="note")


def _card(check: Check, snapshot: Snapshot) -> Html:
    shape = tag("span", _SHAPES[check.status], aria_hidden="true")
    status = tag("span", shape, f" {check.status}", class_="status")
    names = set(snapshot.config.space)
    advice = [tag("p", _said(check.advice, names), class_="advice")] if check.advice else []
    heading = tag("h3", tag("span", sentence(check.name).rstrip(".")), status)
    said = tag("p", _said(check.sentence, names))
    return tag("li", heading, said, advice, class_=f"card {check.status}")


def _said(text: str, names: set[str]) -> str:
    """Return a sentence; one that begins with the name of a hyperparameter or a command as it is."""
    first = text.split(" ", 1)[0].rstrip(":,")
    return text if first in names or first == "python" else sentence(text)
