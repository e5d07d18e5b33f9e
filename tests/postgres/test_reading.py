"""A study in PostgreSQL, read by those who only look."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import fakes
from search.study import reading
from search.study.folder import StudyFolder, opened
from search.study.header import load_study
from search.study.lock import database_driver
from search.study.snapshot import take_snapshot
from search.study.standing import look
from search.study.storage import close_storage, locate, open_storage

pytestmark = pytest.mark.postgres


@pytest.fixture
def location(url):
    return locate(None, Path("study.db"))


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "reg")


def test_a_study_is_read_as_it_is_while_its_driver_writes(folder, location):
    with opened(folder, fakes.CONFIG, fakes.IMAGES, location=location) as ledger:
        fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
        with reading.read(folder) as (storage, name):
            fakes.run(ledger, 0.5)
            (trial,) = load_study(storage, name).get_trials()
        assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
        snapshot = take_snapshot(folder)
        assert snapshot.trials == ledger.trials
        assert snapshot.order == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1)]
        assert database_driver(location, "reg").startswith("search process ")
    assert database_driver(location, "reg") == ""


def test_where_a_study_on_a_server_stands_is_told_with_who_drives_it(folder, location, url):
    with opened(folder, fakes.CONFIG, fakes.IMAGES, location=location) as ledger:
        fakes.run(ledger, 0.5)
        found = look(folder)
        assert (found.state, found.stage, found.num_epochs) == ("running", "search", 1)
        assert found.driver.startswith("process ")
        elsewhere = StudyFolder(folder.path.parent / "another machine's" / folder.path.name)
        elsewhere.path.mkdir(parents=True)
        found = look(elsewhere)
        assert (found.state, found.num_epochs) == ("running", 1)
        assert found.driver.startswith("search process ")
    assert look(folder).state == look(elsewhere).state == "stopped"


def test_a_reader_cannot_write(folder, location):
    with opened(folder, fakes.CONFIG, fakes.IMAGES, location=location):
        pass
    storage = open_storage(location, reading._ONE_MOMENT)
    try:
        with (
            storage.engine.connect() as connection,
            pytest.raises(DBAPIError, match="read-only transaction"),
        ):
            connection.execute(text("DELETE FROM trials"))
        level = "SHOW transaction_isolation"
        with storage.engine.connect() as connection:
            assert connection.execute(text(level)).scalar_one() == "repeatable read"
    finally:
        close_storage(storage)
