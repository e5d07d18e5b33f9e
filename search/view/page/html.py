"""HTML that cannot be forgotten to be escaped: what is not `Html` is text, and becomes harmless."""

import html
import unicodedata
from collections.abc import Iterable, Sequence

Attribute = str | int | bool | None
_VOID = ("br", "img", "input", "meta")
_LAID_OUT = "\n\t"


class Html(str):
    """Markup that this program made; never what came from outside."""

    __slots__ = ()


Content = str | Iterable["Content"]
"""Text, which is escaped, or `Html`, or several of them."""


def readable(text: object) -> str:
    """Return text that every file can hold and nobody is misled by.

    Control characters, halves of surrogate pairs and marks that turn the direction of writing
    become U+FFFD: an error's message may hold anything.
    """
    return "".join(_replaced(character) for character in str(text))


def _replaced(character: str) -> str:
    is_odd = unicodedata.category(character) in ("Cc", "Cs", "Cf")
    return "\ufffd" if is_odd and character not in _LAID_OUT else character


def escape(content: Content) -> Html:
    """Return content as markup: `Html` as it is, text escaped, several one after the other."""
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(html.escape(readable(content), quote=True))
    return Html("".join(escape(each) for each in content))


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        name: of the element, ours.
        content: of the element; text is escaped.
        attributes: names as Python writes them, `class_` and `aria_label`; values are escaped,
            None and False are left out, True stands without a value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{escape(content)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def table(
    header: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    numbers: Sequence[int] = (),
    **attributes: Attribute,
) -> Html:
    """Return a table that scrolls by itself where it is wider than the page.

    Args:
        header: a cell a column.
        rows: cells; `Html` that is a whole `td` stands as it is.
        numbers: columns that are set flush right.
        attributes: of the table.
    """
    kinds = dict.fromkeys(numbers, "number")
    head = [tag("th", cell, class_=kinds.get(at), scope="col") for at, cell in enumerate(header)]
    body = [tag("tr", [_cell(cell, kinds.get(at)) for at, cell in enumerate(row)]) for row in rows]
    inner = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), **attributes)
    return tag("div", inner, class_="scroll", tabindex=0)


def _cell(cell: Content, kind: str | None) -> Html:
    if isinstance(cell, Html) and cell.startswith("<td"):
        return cell
    return tag("td", cell, class_=kind)


def breakable(name: str) -> Html:
    """Return a name that may be broken after its underscores, where a column is narrow."""
    return Html("_<wbr>".join(escape(part) for part in name.split("_")))


def note(text: str) -> Html:
    """Return what is said of a picture or a table, or in its place."""
    return tag("p", text, class_="note")


def code(text: str) -> Html:
    """Return a command, or lines of a file, to be copied."""
    return tag("pre", tag("code", text), tabindex=0)
