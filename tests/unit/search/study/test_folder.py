import dataclasses
import errno
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from search.study.backup import Backups
from search.study.errors import DamagedStudyError, MachineError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.records import Host, TrialRecord
from search.study.space import load_study
from search.study.storage import Location, sqlite_storage
from seresnet.epoch import EpochResult
from seresnet.errors import ConfigError, DataError, UserError

IMAGES = {"train_sha256": "a", "val_sha256": "b"}
HOST = Host(node="here", device="cpu", dtype="float32", threads=1)


def epoch(value):
    numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 1.0}
    return EpochResult(
        epoch=1, val_accuracy=value, val_accuracy_raw=value, images_per_second=1.0, **numbers
    )


def trial(number, state, value=0.5):
    return TrialRecord(number=number, params={}, state=state, epochs={1: epoch(value)})


def test_every_file_has_its_place():
    folder = StudyFolder(Path("results/reg"))
    places = [
        folder.database, folder.study_file, folder.provenance, folder.submission,
        folder.checkpoints, folder.backups, folder.retrain(7),
    ]  # fmt: skip
    assert [str(p.relative_to("results/reg")) for p in places] == [
        "study.db", "study.yaml", "provenance.json", "submission.csv", "checkpoints",
        "backups", "retrain/seed7",
    ]  # fmt: skip


def test_products_are_named_in_the_order_they_are_made(study_dir):
    assert study_dir.products() == []
    names = [
        "trials.csv", "epochs.csv", "retrain/seed0/model.pt", "retrain/seed1/model.pt",
        "submission.csv",
    ]  # fmt: skip
    for name in [*reversed(names), "study.db", "retrain/seed1/metrics.json"]:
        (study_dir.path / name).parent.mkdir(parents=True, exist_ok=True)
        (study_dir.path / name).write_text("")
    assert study_dir.products() == [study_dir.path / name for name in names]


@pytest.mark.parametrize(
    ("trials", "kept"),
    [
        pytest.param(
            [trial(0, "COMPLETE", 0.5), trial(1, "COMPLETE", 0.6), trial(2, "RUNNING", 0.1)],
            ["t0001", "t0002"],
            id="the-incumbent-and-the-unfinished",
        ),
        pytest.param(
            [trial(0, "PRUNED", 0.9), trial(1, "FAIL", 0.9), trial(2, "RUNNING")],
            ["t0002"],
            id="no-incumbent-yet",
        ),
        pytest.param(
            [trial(0, "COMPLETE", 0.5), trial(1, "COMPLETE", 0.5), trial(2, "PRUNED", 0.9)],
            ["t0000"],
            id="of-equals-the-earliest",
        ),
    ],
)
def test_checkpoints_are_kept_while_they_are_of_use(study_dir, trials, kept):
    for each in trials:
        (study_dir.checkpoints / each.id).mkdir(parents=True)
        (study_dir.checkpoints / each.id / "epoch-0001.pt").write_text("")
    for _ in range(2):  # the second time there is nothing left to delete
        study_dir.clear_checkpoints(trials)
        assert sorted(p.name for p in study_dir.checkpoints.iterdir()) == kept
    assert [p.name for p in study_dir.checkpoints.rglob("*.pt")] == len(kept) * ["epoch-0001.pt"]


def test_a_folder_is_made_with_its_parents_and_left_empty(tmp_path):
    folder = StudyFolder(tmp_path / "results" / "deep" / "tiny")
    folder.create()
    folder.create()
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_way_is_the_machines_fault(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(MachineError, match=f"{name}: cannot be written") as caught:
        StudyFolder(tmp_path / name).create()
    assert caught.value.exit_code == 3
    assert "--results" in caught.value.hint
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_written_is_the_machines_fault(tmp_path, monkeypatch, code):
    def refuse(path, *_):
        raise OSError(code, "Not To Day", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(MachineError, match="cannot be written: Not To Day"):
        StudyFolder(tmp_path / "tiny").create()


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


def play(ledger, num_trials):
    """Let trials go to their ends, one after the other."""
    for _ in range(num_trials):
        suggestion = ledger.suggest()
        for number in (1, 2, 3, 4):
            result = dataclasses.replace(epoch(0.5 + suggestion.number / 100), epoch=number)
            ledger.report(suggestion.number, result, HOST, attempt=suggestion.attempt)


def damage(path):
    """Overwrite pages in the middle, as a bad disk does."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = 8192 * b"\xa5"
    path.write_bytes(content)


def outcome(ledger):
    return [(t.params, t.state, t.value, sorted(t.epochs)) for t in ledger.trials]


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_study_folder_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "reg").symlink_to(tmp_path / "elsewhere")
    for path in ("results/reg", "results/../results/reg"):
        with pytest.raises(MachineError, match="not a link") as caught:
            StudyFolder(tmp_path / path).create()
        assert caught.value.exit_code == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_lies_outside_its_results_is_refused(tmp_path):
    with pytest.raises(MachineError, match="must be a folder of its own"):
        StudyFolder(tmp_path / "results" / "..").create()


def test_the_results_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "big-disk")
    StudyFolder(tmp_path / "results" / "reg").create()
    assert (tmp_path / "big-disk" / "reg").is_dir()


def test_an_opened_study_is_backed_up_at_its_start_and_end(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        assert not study_dir.backups.exists()  # of nothing
        play(ledger, 1)
        first = f"study-{ledger.num_events:06d}.db"
    assert names(study_dir.backups) == [first]
    with opened(study_dir, study_config, IMAGES) as ledger:
        play(ledger, 2)
        second = f"study-{ledger.num_events:06d}.db"
    assert names(study_dir.backups) == [first, second]
    storage = sqlite_storage(study_dir.backups / second)
    assert Ledger.load(storage).trials == ledger.trials


def test_backups_are_taken_in_between_where_the_caller_says_so(study_dir, study_config):
    now = 0.0
    backups = Backups(study_dir.database, study_dir.backups, clock=lambda: now)
    with opened(study_dir, study_config, IMAGES, backups=backups) as ledger:
        play(ledger, 1)
        backups.note(ledger.num_events)
        taken = names(study_dir.backups)
        now = 29.0
        play(ledger, 1)
        backups.note(ledger.num_events)
        assert names(study_dir.backups) == taken
        now = 30.0
        backups.note(ledger.num_events)
        assert names(study_dir.backups) == [*taken, f"study-{ledger.num_events:06d}.db"]


def test_a_damaged_study_is_refused_and_recovered_and_ends_as_if_nothing_had_been(
    study_dir, study_config, tmp_path, caplog
):
    undisturbed = StudyFolder(tmp_path / "undisturbed")
    with opened(undisturbed, study_config, IMAGES) as ledger:
        play(ledger, 6)
        expected = outcome(ledger)
    with opened(study_dir, study_config, IMAGES) as ledger:
        play(ledger, 3)
    with opened(study_dir, study_config, IMAGES) as ledger:
        play(ledger, 1)
        damage(study_dir.database)
    damaged = study_dir.database.read_bytes()
    with (
        pytest.raises(DamagedStudyError, match=r"study\.db: ") as caught,
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    assert "--recover" in caught.value.hint
    assert study_dir.database.read_bytes() == damaged
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert len(ledger.trials) == 3
        play(ledger, 3)
        assert outcome(ledger) == expected
    assert "recovered from study-" in caplog.text
    assert (study_dir.path / "study.db.damaged-1").read_bytes() == damaged


def test_after_a_recovery_no_checkpoint_is_ahead_of_the_study(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        play(ledger, 1)
        suggestion = ledger.suggest()
        for number in (1, 2):
            result = dataclasses.replace(epoch(0.1), epoch=number)
            ledger.report(suggestion.number, result, HOST, attempt=suggestion.attempt)
    study_dir.database.write_bytes(b"no database")
    for trial_folder in ("t0001", "t0002"):
        path = study_dir.checkpoints / trial_folder
        path.mkdir(parents=True, exist_ok=True)
        for name in ("epoch-0003.pt", "epoch-0003.sha256", "epoch-0004.pt", "epoch-0004.sha256"):
            (path / name).touch()
        (path / ".attempt").write_text("7")
    with opened(study_dir, study_config, IMAGES, recovering=True):
        # One epoch ahead is where a kill between checkpoint and report leaves a trial.
        assert names(study_dir.checkpoints) == ["t0001"]
        assert names(study_dir.checkpoints / "t0001") == ["epoch-0003.pt", "epoch-0003.sha256"]


def test_a_start_without_a_recovery_leaves_attempts_and_other_files_alone(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        ledger.suggest()
    for name in (
        "t0000/.attempt",
        "t0000/epoch-0001.pt",
        "tmp/mine",
        "t1/x",
        "t0009/epoch-0001.pt",
    ):
        (study_dir.checkpoints / name).parent.mkdir(parents=True, exist_ok=True)
        (study_dir.checkpoints / name).touch()
    with opened(study_dir, study_config, IMAGES):
        assert names(study_dir.checkpoints) == ["t0000", "tmp"]
        assert names(study_dir.checkpoints / "t0000") == [".attempt", "epoch-0001.pt"]


def test_recovering_a_sound_study_does_nothing_and_says_so(study_dir, study_config, caplog):
    with opened(study_dir, study_config, IMAGES) as ledger:
        play(ledger, 2)
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert len(ledger.trials) == 2
    assert "study.db: the study is sound, nothing was recovered" in caplog.text


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
    play(ledger, 6)


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
        play(ledger, ledger.num_remaining)
        assert ledger.num_remaining == 0


def test_a_study_may_lie_on_another_disk_and_is_asked_for_there(study_dir, study_config, tmp_path):
    location = Location.of_file(tmp_path / "fast.db")
    with opened(study_dir, study_config, IMAGES, location=location) as ledger:
        play(ledger, 1)
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
        play(ledger, 2)
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
        play(ledger, 1)
    for path in study_dir.path.rglob("*"):
        if path.is_file():
            assert str(study_dir.path.parent).encode() not in path.read_bytes()
