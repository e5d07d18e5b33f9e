"""Rows as a person reads them, or as a program does: `--format table | csv | json`."""

import csv
import io
import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence

from search.view.table import aligned

FORMATS = ("table", "csv", "json")
Row = Mapping[str, object]
"""Column to value, the same columns in each row: a number, a text, or None where there is none."""


def add_format(parser: ArgumentParser) -> None:
    """Add the option `--format`."""
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help="of what is printed; default: table"
    )


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """Return lines whose columns stand below each other; the first row holds their titles."""
    return "\n".join(aligned(rows))


def as_csv(rows: Sequence[Row]) -> str:
    """Return a table with numbers in full precision; without rows there are no columns either."""
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def as_json(content: object) -> str:
    """Return rows, or an object that holds some, with numbers in full precision."""
    return json.dumps(content, indent=2, allow_nan=False)
