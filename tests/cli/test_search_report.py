import sqlite3
from contextlib import closing

import pytest
import studies

import fakes
from search import report


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return studies.whole(tmp_path_factory.mktemp("results") / "whole")


def test_the_page_lies_in_the_folder_and_its_path_is_told(whole, capsys):
    before = {path.name: path.read_bytes() for path in whole.path.iterdir() if path.is_file()}
    assert report.main(["--study", str(whole.path)]) == 0
    assert capsys.readouterr() == (f"{whole.report}\n", "")
    after = {path.name: path.read_bytes() for path in whole.path.iterdir() if path.is_file()}
    page = after.pop("report.html").decode()
    assert after == before  # whoever drives the study notices nothing
    assert "24/24 suggestions, 248/248 decisions identical" in page
    assert len(page) < 6_000_000


def test_a_study_that_was_changed_afterwards_has_no_page(tmp_path):
    folder = studies.single(tmp_path / "one")
    with closing(sqlite3.connect(folder.database)) as database:
        change = "UPDATE trial_params SET param_value = 0.3 WHERE param_name = 'dropout'"
        database.execute(change)
        database.commit()
    assert report.main(["--study", str(folder.path)]) == 4
    assert not folder.report.exists()


def test_a_folder_without_a_study_is_named(tmp_path, capsys):
    assert report.main(["--study", str(tmp_path / "none")]) == 2
    assert "none: holds no study" in capsys.readouterr().err


def test_a_damaged_database_is_told(tmp_path, capsys):
    folder = studies.whole(tmp_path / "whole")
    fakes.damage(folder.database, num_pages=4)
    assert report.main(["--study", str(folder.path)]) == 4
    assert "--recover" in capsys.readouterr().err
