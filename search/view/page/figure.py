"""A figure as plotly.js takes it: plain values, small, with nothing from outside as markup."""

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.view.page.html import Html, readable, tag

_DIGITS = 5
"""Significant digits of numbers in figures: more than any screen shows."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")
"""Markers that tell lines apart where colours do not."""
_LONGEST = 80
"""Characters of a text from outside within a figure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One picture of the page, drawn when it comes into view."""

    id: str
    """Of its element; unique on the page."""
    title: str
    """What is to be seen, for those who cannot see it."""
    data: Sequence[Mapping[str, Any]]
    """Traces of plotly.js, without those that need WebGL: see the page's policy."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 420
    """Pixels, reserved before it is drawn."""
    labels: Sequence[str] = ()
    """What traces show as `text`, who give the place of each point's label as `customdata`."""

    def placeholder(self) -> Html:
        """Return the element that it is drawn in."""
        return tag(
            "div", class_="figure", id=self.id, style=f"height:{self.height}px", role="img",
            aria_label=self.title,
        )  # fmt: skip

    def payload(self) -> Html:
        """Return its content as JSON that can stand within HTML."""
        content = {"data": self.data, "layout": self.layout, "labels": list(self.labels)}
        text = json.dumps(_plain(content), allow_nan=False, separators=(",", ":"))
        safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        kind = 'type="application/json" class="payload"'
        return Html(f'<script {kind} data-figure="{self.id}">{safe}</script>')


def colour(role: str) -> dict[str, str]:
    """Return a colour by its name in the style sheet, which has one value a theme."""
    return {"role": role}


def label(text: object) -> str:
    """Return text from outside as plotly.js shows it: it reads some markup in every text."""
    shown = readable(text).replace("\n", " ")
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return html.escape(shown, quote=False)


def lines(*texts: str) -> str:
    """Return labels as the lines of one."""
    return "<br>".join(texts)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers short, those that are none left out as null."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return _short(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]


def _short(number: float) -> float | int | None:
    if not math.isfinite(number):
        return None
    short = float(f"{number:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def axis(title: str, **options: Any) -> dict[str, Any]:
    """Return an axis in the page's colours.

    Args:
        title: of the axis; our own words, or a `label`.
        options: of plotly.js, laid over ours.
    """
    return {
        "title": {"text": title, "standoff": 8, "font": {"color": colour("dim")}},
        "gridcolor": colour("rule"),
        "linecolor": colour("rule"),
        "zerolinecolor": colour("rule"),
        "tickfont": {"color": colour("dim")},
        "automargin": True,
        "exponentformat": "e",
        **options,
    }


def layout(x: Mapping[str, Any], y: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Return a layout in the page's style.

    Args:
        x: the horizontal axis.
        y: the vertical one.
        options: of plotly.js, laid over ours.
    """
    return {
        "xaxis": x,
        "yaxis": y,
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": colour("ink")},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": colour("panel"),
            "bordercolor": colour("dim"),
            "font": {"color": colour("ink")},
            "align": "left",
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        **options,
    }
