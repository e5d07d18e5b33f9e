"""The checks as cards: how grave in a word and a shape, a sentence, what to do."""

from collections.abc import Sequence

from search.study.checks.check import Check, Status
from search.view.page.document import Section
from search.view.page.html import Html, tag

_SHAPES = {Status.PASS: "✓", Status.WARNING: "▲", Status.FAIL: "✕"}
_ORDER = [Status.FAIL, Status.WARNING, Status.PASS]


def cards(checks: Sequence[Check]) -> Section:
    """Return the section of the checks, the gravest first."""
    ordered = sorted(checks, key=lambda check: _ORDER.index(check.status))
    numbers = {status: sum(check.status is status for check in checks) for status in _ORDER}
    said = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    shown = tag("ul", [_card(check) for check in ordered], class_="cards")
    parts = [tag("p", f"Checks: {said}.", class_="note"), shown] if checks else [_NONE]
    return Section(id="checks", title="Can it be relied on?", parts=parts)


_NONE = tag("p", "Nothing can be checked before the first trial.", class_="note")


def _card(check: Check) -> Html:
    shape = tag("span", _SHAPES[check.status], aria_hidden="true")
    status = tag("span", shape, f" {check.status}", class_="status")
    advice = [tag("p", check.advice, class_="advice")] if check.advice else []
    heading = tag("h3", tag("span", check.name), status)
    return tag("li", heading, tag("p", check.sentence), advice, class_=f"card {check.status}")
