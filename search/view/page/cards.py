"""The checks as cards: how grave in a word and a shape, a sentence, what to do."""

import re
from collections.abc import Sequence
from functools import partial

from search.study.checks.check import Check, Status
from search.study.snapshot import Snapshot
from search.view.page.document import Section
from search.view.page.html import Content, Html, note, tag
from search.view.page.units import sentence

_section = partial(Section, id="checks", title="Can it be relied on?", link="Checks")

_SHAPES = {Status.PASS: "✓", Status.WARNING: "▲", Status.FAIL: "✕"}
_TYPED = re.compile(
    r"(python -m search\.\w+(?: --[a-z-]+(?: [^\s-][^\s;,]*[^\s;,.])?(?: \d+\b)*)*|--[a-z][a-z-]*)"
)
_NONE = note("Nothing can be checked before the first trial.")
_ORDER = [Status.FAIL, Status.WARNING, Status.PASS]


def cards(snapshot: Snapshot, checks: Sequence[Check]) -> Section:
    """Return the section of the checks, the gravest first."""
    ordered = sorted(checks, key=lambda check: _ORDER.index(check.status))
    numbers = {status: sum(check.status is status for check in checks) for status in _ORDER}
    said = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    shown = tag("ul", [_card(check, snapshot) for check in ordered], class_="cards")
    parts = [tag("p", f"Checks: {said}.", class_="note"), shown] if checks else [_NONE]
    return _section(parts=parts)


def _card(check: Check, snapshot: Snapshot) -> Html:
    shape = tag("span", _SHAPES[check.status], aria_hidden="true")
    status = tag("span", shape, f" {check.status}", class_="status")
    names = set(snapshot.config.space)
    advice = [tag("p", _said(check.advice, names), class_="advice")] if check.advice else []
    heading = tag("h3", tag("span", sentence(check.name).rstrip(".")), status)
    said = tag("p", _said(check.sentence, names))
    return tag("li", heading, said, advice, class_=f"card {check.status}")


def _said(text: str, names: set[str]) -> list[Content]:
    """Return a sentence with its commands and flags set as code; a name in front stays a name."""
    first = text.split(" ", 1)[0].rstrip(":,")
    whole = text if first in names or first == "python" else sentence(text)
    pieces = _TYPED.split(whole)  # every second one was typed
    return [_code(piece) if at % 2 else piece for at, piece in enumerate(pieces)]


def _code(text: str) -> Html:
    """Return what is typed, broken between its words alone."""
    words = [tag("span", word) for word in text.split(" ")]
    return tag("code", Html(" ".join(words)), class_="inline")
