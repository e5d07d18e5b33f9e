import dataclasses
import errno
from pathlib import Path

import pytest

from search.study.errors import DamagedStudyError, MachineError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.records import Host, TrialRecord
from search.study.space import load_study
from search.study.storage import sqlite_storage
from seresnet.epoch import EpochResult
from seresnet.errors import ConfigError, DataError

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
        folder.checkpoints, folder.retrain(7),
    ]  # fmt: skip
    assert [str(p.relative_to("results/reg")) for p in places] == [
        "study.db", "study.yaml", "provenance.json", "submission.csv", "checkpoints",
        "retrain/seed7",
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
    assert "--name" in caught.value.hint
    assert study_dir.database.read_bytes() == b"not a database" * 100


def test_a_database_that_cannot_be_opened_is_the_machines_fault(study_dir, study_config):
    study_dir.database.mkdir()
    with (
        pytest.raises(MachineError, match=r"study\.db: unable to open database file"),
        opened(study_dir, study_config, IMAGES),
    ):
        pass
