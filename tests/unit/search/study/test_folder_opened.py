"""A study folder held open: what is refused, and what the database says meanwhile."""

import dataclasses
import json
import random
import sqlite3
from contextlib import closing, nullcontext

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from fakes import IMAGES, names, run, run_trials
from search.study.errors import DamagedStudyError, MachineError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.space import load_study
from search.study.storage import Location, sqlite_storage
from seresnet.errors import ConfigError, DataError, UserError


def test_opening_twice_goes_on_with_the_same_study(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        born = ledger.id
        ledger.suggest()
        (study_dir.checkpoints / "t0000").mkdir(parents=True)
    assert load_study(study_dir.study_file) == study_config
    more = dataclasses.replace(study_config.study, num_trials=9)
    extended = dataclasses.replace(study_config, study=more)
    with opened(study_dir, extended, IMAGES) as ledger:
        assert ledger.id == born
        assert [t.state for t in ledger.trials] == ["RUNNING"]
        assert (study_dir.checkpoints / "t0000").is_dir()
    assert load_study(study_dir.study_file) == extended


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_time_of_the_search_is_kept_when_a_study_is_closed(
    study_dir, study_config, interrupted
):
    end = pytest.raises(KeyboardInterrupt) if interrupted else nullcontext()
    with end, opened(study_dir, study_config, IMAGES) as ledger:
        run(ledger, 0.5)
        seconds = ledger.limits.seconds
        if interrupted:
            raise KeyboardInterrupt
    assert Ledger.load(sqlite_storage(study_dir.database)).limits.seconds == seconds > 0


def test_an_open_study_is_held_and_a_closed_one_free(study_dir, study_config):
    with (
        opened(study_dir, study_config, IMAGES),
        pytest.raises(MachineError, match="in use"),
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    with opened(study_dir, study_config, IMAGES):
        pass


def test_a_refused_start_leaves_the_study_file_as_it_was(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES):
        before = study_dir.study_file.read_bytes()
    other = dataclasses.replace(study_config.study, seed=8)
    with (
        pytest.raises(ConfigError, match=r"study\.seed: 7 -> 8"),
        opened(study_dir, dataclasses.replace(study_config, study=other), IMAGES),
    ):
        pass
    with (
        pytest.raises(DataError, match="images are not those"),
        opened(study_dir, study_config, {**IMAGES, "val_sha256": "c"}),
    ):
        pass
    assert study_dir.study_file.read_bytes() == before
    assert Ledger.load(sqlite_storage(study_dir.database)).config == study_config


def test_checkpoints_of_a_study_that_is_gone_are_not_taken_for_the_new_ones(
    study_dir, study_config
):
    (study_dir.checkpoints / "t0000").mkdir(parents=True)
    with opened(study_dir, study_config, IMAGES) as ledger:
        assert ledger.trials == []
        assert not study_dir.checkpoints.exists()


def test_a_database_that_is_none_is_called_damaged(study_dir, study_config):
    study_dir.database.write_bytes(b"not a database" * 100)
    with (
        pytest.raises(DamagedStudyError, match=r"study\.db: file is not a database") as caught,
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    assert caught.value.exit_code == 4
    assert "--recover" in caught.value.hint
    assert study_dir.database.read_bytes() == b"not a database" * 100


def test_a_database_that_cannot_be_opened_is_the_machines_fault(study_dir, study_config):
    study_dir.database.mkdir()
    with (
        pytest.raises(MachineError, match=r"study\.db: unable to open database file"),
        opened(study_dir, study_config, IMAGES),
    ):
        pass


@pytest.mark.parametrize("reason", ["database or disk is full", "attempt to write a readonly"])
def test_what_the_database_says_in_mid_search_is_the_machines_fault(
    study_dir, study_config, reason
):
    def fail(trial):
        error = sqlite3.OperationalError(reason)
        raise StorageInternalError("in the commit") from OperationalError("INSERT", {}, error)

    refused = pytest.raises(MachineError, match=f"{study_dir.database}: {reason}")
    with refused as caught, opened(study_dir, study_config, IMAGES) as ledger:
        play_with(ledger, fail)
    assert caught.value.exit_code == 3
    with opened(study_dir, study_config, IMAGES):  # lock and file are free again
        pass


def play_with(ledger, observe):
    ledger.observe = observe
    run_trials(ledger, 6)


def test_a_disk_that_fills_in_mid_search_ends_it_and_what_is_stored_stays(study_dir, study_config):
    def fill_the_disk(trial):
        """SQLite's own way to have a full disk: from now on no page can be added."""
        if trial.number == 2 and trial.is_finished:
            engine = ledger._study._storage._backend.engine
            with engine.connect() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            limit = f"PRAGMA max_page_count = {pages}"
            event.listen(engine, "checkout", lambda raw, *_: raw.execute(limit))

    full = pytest.raises(MachineError, match=r"study\.db: database or disk is full")
    with full as caught, opened(study_dir, study_config, IMAGES) as ledger:
        play_with(ledger, fill_the_disk)
    assert "free space" in caught.value.hint
    with opened(study_dir, study_config, IMAGES) as ledger:
        assert [t.state for t in ledger.trials[:3]] == 3 * ["COMPLETE"]
        run_trials(ledger, ledger.num_remaining)
        assert ledger.num_remaining == 0


def test_a_study_may_lie_on_another_disk_and_is_asked_for_there(study_dir, study_config, tmp_path):
    location = Location.of_file(tmp_path / "fast.db")
    with opened(study_dir, study_config, IMAGES, location=location) as ledger:
        run_trials(ledger, 1)
        content = {"study": ledger.id, "storage": location.recorded}
        study_dir.provenance.write_text(json.dumps(content))
        born = ledger.id
    assert not study_dir.database.exists()
    assert len(names(study_dir.backups)) == 1
    with (
        pytest.raises(ConfigError, match=r"lies in another file, sqlite:///fast\.db") as caught,
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    assert "--storage" in caught.value.hint
    with opened(study_dir, study_config, IMAGES, location=location) as ledger:
        assert ledger.id == born


def test_a_file_with_another_folders_study_is_refused(study_dir, study_config, tmp_path):
    other = StudyFolder(tmp_path / "results" / "other")
    with opened(other, study_config, IMAGES):
        pass
    study_dir.provenance.write_text(json.dumps({"study": "0123456789abcdef"}))
    location = Location.of_file(other.database)
    with (
        pytest.raises(DataError, match=r"belongs to study 0123456789ab, but .* holds study "),
        opened(study_dir, study_config, IMAGES, location=location),
    ):
        pass


def test_a_deleted_study_is_begun_anew_and_the_folder_no_longer_bound_to_it(
    study_dir, study_config
):
    content = {"study": "0123456789abcdef", "storage": "sqlite:///study.db", "starts": [1]}
    study_dir.provenance.write_text(json.dumps(content))
    for _ in range(2):  # the second start finds a study that no record of a start names yet
        with opened(study_dir, study_config, IMAGES) as ledger:
            assert ledger.id != "0123456789abcdef"
    assert json.loads(study_dir.provenance.read_text())["starts"] == [1]


def test_a_study_whose_words_were_changed_is_damaged(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        ledger.suggest()
    with closing(sqlite3.connect(study_dir.database)) as database:
        database.execute("UPDATE trial_user_attributes SET value_json = '{'")
        database.commit()
    with (
        pytest.raises(DamagedStudyError, match=r"study\.db: the study cannot be read") as caught,
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    assert "--recover" in caught.value.hint


def test_flipped_bits_give_no_other_error_than_ours(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 2)
    sound, drawn, refused = study_dir.database.read_bytes(), random.Random(3), 0
    for _ in range(15):
        flipped = bytearray(sound)
        for _ in range(30):
            flipped[drawn.randrange(100, len(sound))] ^= 1 << drawn.randrange(8)
        study_dir.database.write_bytes(flipped)
        try:
            with opened(study_dir, study_config, IMAGES):
                pass
        except UserError:
            refused += 1
    assert refused


def test_nothing_in_the_folder_holds_a_path_of_this_machine(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 1)
    for path in study_dir.path.rglob("*"):
        if path.is_file():
            assert str(study_dir.path.parent).encode() not in path.read_bytes()


def test_leftovers_are_deleted_by_the_one_driver_alone(study_dir, study_config):
    leftover = study_dir.path / ".trials.csv.12.tmp"
    with opened(study_dir, study_config, IMAGES):
        leftover.write_text("of a writer that lives")
        with pytest.raises(MachineError, match="in use"), opened(study_dir, study_config, IMAGES):
            pass
        assert leftover.exists()
    with opened(study_dir, study_config, IMAGES):
        assert not leftover.exists()
