"""A committed study of each schema derives itself again, in every version of this program."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from search import replay

ASSETS = Path(__file__).parents[1] / "assets"


@pytest.fixture
def copy(tmp_path):
    """A study folder with the committed study in it."""
    folder = tmp_path / "crowd"
    folder.mkdir()
    shutil.copy(ASSETS / "study_v1" / "study.db", folder / "study.db")
    return folder


def test_the_study_of_schema_1_is_identical(copy, capsys):
    assert replay.main(["--study", str(copy)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("28/28 suggestions, 87/87 decisions identical")
    assert told.err == ""


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
    newer = "written by a newer version (schema 4, this program knows 1)"
    assert newer in capsys.readouterr().err


def test_a_folder_without_a_study_is_refused(tmp_path, capsys):
    assert replay.main(["--study", str(tmp_path)]) == 2
    assert "holds no study" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
