"""The page as one file: sections, style, scripts, and the policy that lets nothing else run."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from search.view.page.figure import Figure
from search.view.page.html import Html, escape, tag


@dataclass(frozen=True, slots=True)
class Grid:
    """Small pictures side by side, as many as the page is wide."""

    figures: Sequence[Figure]


Part = Html | Figure | Grid


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One part of the page, reached from its list of contents."""

    id: str
    """Of its element: lower-case letters and dashes; unique on the page."""
    title: str
    parts: Sequence[Part]
    """One below the other; what has no data says so in a sentence."""
    link: str = ""
    """Its name in the list of contents, where the title is long for that."""

    def render(self) -> Html:
        """Return its element, figures as places to be drawn in."""
        shown = [_placed(part) for part in self.parts]
        heading = tag("h2", self.title, id=f"{self.id}-title")
        return tag("section", heading, shown, id=self.id, aria_labelledby=f"{self.id}-title")

    @property
    def figures(self) -> list[Figure]:
        """Its pictures."""
        return [figure for part in self.parts for figure in _figures_in(part)]


def _placed(part: Part) -> Html:
    if isinstance(part, Figure):
        return part.placeholder()
    if isinstance(part, Grid):
        return tag("div", [figure.placeholder() for figure in part.figures], class_="figures")
    return part


def _figures_in(part: Part) -> Sequence[Figure]:
    if isinstance(part, Grid):
        return part.figures
    return [part] if isinstance(part, Figure) else []


def document(*, title: str, lead: Html, sections: Sequence[Section]) -> str:
    """Return a whole page, which asks nothing of the network.

    Args:
        title: of the page; text from outside is escaped.
        lead: what stands above the sections.
        sections: in their order; empty ones are the caller's to leave out.
    """
    figures = [figure for section in sections for figure in section.figures]
    links = [tag("a", section.link or section.title, href=f"#{section.id}") for section in sections]
    switch = tag("button", "Theme", type="button", id="theme", aria_label="Light or dark")
    header = tag("header", tag("nav", links, aria_label="Contents"), switch, class_="bar")
    main = tag("main", tag("h1", title), lead, [section.render() for section in sections])
    scripts = [_plotly(), _asset("page.js")] if figures else [_asset("page.js")]
    payloads = escape([figure.payload() for figure in figures])
    inline = "".join(f"<script>{script}</script>\n" for script in scripts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{_head(title, scripts)}</head>\n'
        f"<body>\n{header}\n{main}\n{payloads}\n{inline}</body>\n</html>\n"
    )


def _head(title: str, scripts: Sequence[str]) -> str:
    """Return the head: the policy first, since it holds for what follows it."""
    parts = [
        Html('<meta charset="utf-8">'),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(scripts)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Html(f"<style>{_asset('page.css')}</style>"),
    ]
    return "".join(f"{part}\n" for part in parts)


def policy(scripts: Sequence[str]) -> str:
    """Return what the page may do: run these scripts, and show what it holds; nothing else.

    plotly.js sets styles of its own; it needs no `unsafe-eval` for any chart drawn in SVG. Those
    drawn in WebGL (`scattergl`, `parcoords`, `splom`, 3D) are not used.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    """Return a file beside this one."""
    return resources.files("search.view.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Return plotly.js as its Python package brings it."""
    script = resources.files("plotly").joinpath("package_data", "plotly.min.js")
    return script.read_text(encoding="utf-8")
