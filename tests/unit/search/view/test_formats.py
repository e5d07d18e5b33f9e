import csv
import io
import json
from argparse import ArgumentParser

import pytest

from search.view.formats import add_format, as_csv, as_json, as_table

ROWS = [
    {"study": "a, b", "val_accuracy": 0.1 + 0.2, "trials": 3, "problem": None},
    {"study": 'say "no"', "val_accuracy": None, "trials": 0, "problem": "two\nlines"},
]


def test_csv_holds_numbers_in_full_and_nothing_where_there_is_none():
    text = as_csv(ROWS)
    first, second = csv.DictReader(io.StringIO(text))
    assert float(first["val_accuracy"]) == 0.1 + 0.2
    assert (first["study"], first["trials"], first["problem"]) == ("a, b", "3", "")
    assert (second["study"], second["val_accuracy"], second["problem"]) == (
        'say "no"', "", "two\nlines",
    )  # fmt: skip
    assert not text.endswith("\n")  # the printing ends the last line
    assert as_csv([]) == ""


def test_json_holds_the_same_rows():
    assert json.loads(as_json(ROWS)) == ROWS
    assert json.loads(as_json([])) == []


def test_no_program_is_given_a_number_that_is_none():
    with pytest.raises(ValueError, match="JSON compliant"):
        as_json([{"val_accuracy": float("nan")}])


def test_a_table_stands_in_columns():
    assert as_table([["a", "b"], ["long", ""]]) == "a     b\nlong"


def test_the_option_knows_three_formats(capsys):
    parser = ArgumentParser()
    add_format(parser)
    assert parser.parse_args([]).format == "table"
    with pytest.raises(SystemExit):
        parser.parse_args(["--format", "xml"])
    assert "csv" in capsys.readouterr().err
