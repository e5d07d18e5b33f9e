import errno
from pathlib import Path

import pytest

from fakes import result
from search.study.errors import MachineError
from search.study.folder import StudyFolder
from search.study.records import TrialRecord


def trial(number, state, value=0.5):
    return TrialRecord(number=number, params={}, state=state, epochs={1: result(1, value)})


def paused(number, value):
    each = trial(number, "PRUNED", value)
    each.stop_reason = "budget"
    return each


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
        pytest.param(
            [trial(0, "COMPLETE", 0.5), paused(1, 0.4), trial(2, "PRUNED", 0.9)],
            ["t0000", "t0001"],
            id="what-waits-for-a-larger-budget",
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


def test_what_killed_writers_left_is_deleted_and_nothing_else(study_dir):
    files = [
        ".trials.csv.12.tmp", ".epochs.csv.12.tmp", ".study.yaml.1.tmp", ".submission.csv.9.tmp",
        ".provenance.json.123456.tmp", ".study.db.7.tmp", ".probe.12",
    ]  # fmt: skip
    others = [
        ".lock", ".notes.12.tmp", ".probe", ".probe-mine", ".trials.csv", ".trials.csv.12.tmp.bak",
        "study.db", "study.db.damaged-1", "trials.csv", "x.trials.csv.12.tmp",
    ]  # fmt: skip
    for name in (*files, *others):
        (study_dir.path / name).write_text("x")
    probe = study_dir.path / ".probe-0123456789abcdef"
    probe.mkdir()
    (probe / "driver").write_text("secret")
    (study_dir.path / ".probe-fedcba9876543210").symlink_to(study_dir.path.parent)
    study_dir.clear_leftovers()
    assert sorted(p.name for p in study_dir.path.iterdir()) == others
    assert study_dir.path.parent.is_dir()
