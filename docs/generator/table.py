"""A table in Markdown."""

from collections.abc import Sequence


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, a line a row."""
    rule = "|---" * len(titles) + "|\n"
    head, *body = [f"| {' | '.join(cells)} |\n" for cells in [titles, *rows]]
    return "".join([head, rule, *body])


def escaped(text: str) -> str:
    """Return text in which no character ends a cell or opens a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")
