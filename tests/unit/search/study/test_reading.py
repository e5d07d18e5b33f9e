"""A study opened to be read: refused where it is not, and nothing made by looking."""

import gc
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fakes import CONFIG, IMAGES, damage, run
from search.study import reading
from search.study.errors import DamagedStudyError, MachineError
from search.study.folder import StudyFolder, opened
from search.study.header import STUDY_NAME, load_study
from search.study.ledger import Ledger
from search.study.reading import read
from search.study.storage import VARIABLE, close_storage, sqlite_storage
from seresnet.errors import ConfigError, DataError


def test_a_study_is_read_under_its_name(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        born = ledger.id
    with read(study_dir) as (storage, name):
        assert Ledger.load(storage, study_name=name).id == born


def test_a_folder_without_a_study_is_refused_and_left_empty(study_dir):
    with pytest.raises(DataError, match=r"holds no study \(.*study\.db is missing\)"):
        read(study_dir).__enter__()
    assert list(study_dir.path.iterdir()) == []


def test_a_folder_whose_study_lies_on_a_server_asks_for_its_url(study_dir):
    record = {"study": "0123", "storage": "postgresql://ann:***@db.example/team"}
    study_dir.provenance.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"its study lies in postgresql://ann:\*") as caught:
        read(study_dir).__enter__()
    assert VARIABLE in caught.value.hint


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two trials, the second of which somebody still runs."""
    folder = StudyFolder(tmp_path_factory.mktemp("made") / "tiny")
    with opened(folder, CONFIG, IMAGES) as ledger:
        run(ledger, 0.1, 0.2, 0.3, 0.4)
        run(ledger, 0.5)
    return folder.path


@pytest.fixture
def interrupted(made, tmp_path):
    """A copy of it."""
    return StudyFolder(Path(shutil.copytree(made, tmp_path / "tiny")))


def state_of(folder):
    """Bytes and times of all that lies in a folder, its own times too."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return {
        path: (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in paths
    }


def trials_in(folder):
    with read(folder) as (storage, name):
        return load_study(storage, name).get_trials()


def test_reading_gives_what_optuna_gives(interrupted):
    storage = sqlite_storage(interrupted.database)
    expected = load_study(storage, STUDY_NAME).get_trials()
    close_storage(storage)
    assert trials_in(interrupted) == expected
    assert len(expected) == 2


def test_reading_changes_no_byte_and_no_time(interrupted):
    before = state_of(interrupted.path)
    trials_in(interrupted)
    assert state_of(interrupted.path) == before


def test_what_is_written_meanwhile_is_not_read(interrupted):
    with read(interrupted) as (storage, name):
        before = load_study(storage, name).get_trials()
        with opened(interrupted, CONFIG, IMAGES) as ledger:  # a driver is not kept waiting
            run(ledger, 0.6, 0.6, 0.6, 0.6)
        assert load_study(storage, name).get_trials() == before
    assert trials_in(interrupted) != before


def test_a_reader_waits_for_one_who_writes_then_says_who_must_end(interrupted, monkeypatch):
    monkeypatch.setattr(reading, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(interrupted.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # a transaction that is not being stored yet
        assert len(trials_in(interrupted)) == 2
        writer.execute("COMMIT")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(MachineError, match=r"study\.db: database is locked"):
            trials_in(interrupted)


def leave_half_done(database):
    """Write as a driver that is killed in the middle of a transaction, its pages half stored."""
    twin = database.with_name("twin.db")
    with closing(sqlite3.connect(database, isolation_level=None)) as driver:
        driver.execute("PRAGMA cache_size=1")
        driver.execute("BEGIN")
        driver.execute("UPDATE trial_user_attributes SET value_json = hex(randomblob(2000))")
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{database}{suffix}", f"{twin}{suffix}")
        driver.execute("ROLLBACK")
    for suffix in ("", "-journal"):
        twin.with_name(twin.name + suffix).replace(f"{database}{suffix}")


def test_what_a_killed_driver_left_half_done_is_read_as_before_it_and_left_alone(interrupted):
    expected = trials_in(interrupted)
    leave_half_done(interrupted.database)
    before = state_of(interrupted.path)
    assert trials_in(interrupted) == expected
    assert state_of(interrupted.path) == before


def test_a_journal_that_changes_while_it_is_copied_is_looked_at_again(interrupted, monkeypatch):
    expected = trials_in(interrupted)
    leave_half_done(interrupted.database)
    copy, calls = reading._copy_with_journal, []

    def copy_late(path, scratch):
        calls.append(path)
        if len(calls) == 1:  # a driver starts just then, and rolls it back
            with closing(sqlite3.connect(path)) as driver:
                driver.execute("SELECT count(*) FROM trials").fetchone()
        return copy(path, scratch)

    monkeypatch.setattr(reading, "_copy_with_journal", copy_late)
    assert trials_in(interrupted) == expected
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda p: p.write_bytes(b"no database" * 99), "not a database", id="foreign"),
        pytest.param(damage, "malformed|damaged", id="rotten"),
        pytest.param(lambda p: os.truncate(p, 9999), "malformed|damaged|cut", id="cut"),
    ],
)
def test_a_damaged_study_is_told_and_left_alone(interrupted, spoil, complaint):
    spoil(interrupted.database)
    before = state_of(interrupted.path)
    with pytest.raises(DamagedStudyError, match=rf"study\.db: .*({complaint})") as caught:
        trials_in(interrupted)
    assert caught.value.hint == "search.tune with --recover takes the last good backup"
    assert state_of(interrupted.path) == before


def test_nobody_looks_for_garbage_meanwhile_and_afterwards_all_is_as_it_was():
    for enable in (gc.enable, gc.disable, gc.enable):
        enable()
        before = gc.isenabled()
        with reading.without_collections():
            assert not gc.isenabled()
        assert gc.isenabled() == before
