"""A committed study of each schema derives itself again, in every version of this program."""

import dataclasses
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from search import replay
from search.study.header import load_study
from search.study.ledger import Ledger
from search.study.replay import replay as replayed
from search.study.storage import close_storage, sqlite_storage

ASSETS = Path(__file__).parents[1] / "assets"


def copy_of(schema, tmp_path):
    folder = tmp_path / "crowd"
    folder.mkdir()
    shutil.copy(ASSETS / f"study_v{schema}" / "study.db", folder / "study.db")
    return folder


@pytest.fixture
def copy(tmp_path):
    """A study folder with the committed study of schema 1 in it."""
    return copy_of(1, tmp_path)


@pytest.mark.parametrize(
    ("schema", "counts"),
    [
        pytest.param(1, "28/28 suggestions, 87/87 decisions identical", id="1"),
        pytest.param(2, "12/12 suggestions, 29/29 decisions identical", id="2-with-pauses"),
    ],
)
def test_the_study_of_each_schema_is_identical(tmp_path, capsys, schema, counts):
    assert replay.main(["--study", str(copy_of(schema, tmp_path))]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(counts)
    assert told.err == ""


def test_a_study_of_schema_1_goes_on_as_one_of_schema_2(copy):
    storage = sqlite_storage(copy / "study.db")
    before = Ledger.load(storage)
    more = dataclasses.replace(before.config.study, num_trials=29)
    ledger = Ledger.open(storage, dataclasses.replace(before.config, study=more))
    assert ledger.trials == before.trials
    assert ledger.suggest().number == 28
    assert load_study(storage, "search").user_attrs["schema"] == 2
    assert replayed(storage).difference == ""
    close_storage(storage)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        pytest.param(
            "UPDATE trial_intermediate_values SET intermediate_value = 0.5 "
            "WHERE trial_id = 12 AND step = 2",
            "t0011 epoch 2: val_accuracy 0.",
            id="value",
        ),
        pytest.param(
            "UPDATE trial_params SET param_value = 0.25 "
            "WHERE trial_id = 20 AND param_name = 'dropout'",
            "t0019 ask: what is stored no longer matches its event",
            id="parameter",
        ),
    ],
)
def test_an_edited_value_is_named_and_ends_with_one(copy, capsys, statement, place):
    with closing(sqlite3.connect(copy / "study.db")) as database, database:
        assert database.execute(statement).rowcount == 1
    assert replay.main(["--study", str(copy)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    error, hint = told.err.splitlines()
    assert error.startswith(f"error: {copy}: 0/28 suggestions, 0/87 decisions identical, then: ")
    assert place in error
    assert hint.startswith("hint: the study was changed after it was made")


def test_a_study_of_a_newer_version_is_called_so(copy, capsys):
    with closing(sqlite3.connect(copy / "study.db")) as database, database:
        database.execute("UPDATE study_user_attributes SET value_json = '4' WHERE key = 'schema'")
    assert replay.main(["--study", str(copy)]) == 4
    newer = "written by a newer version (schema 4, this program knows 2)"
    assert newer in capsys.readouterr().err


def test_a_folder_without_a_study_is_refused(tmp_path, capsys):
    assert replay.main(["--study", str(tmp_path)]) == 2
    assert "holds no study" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
