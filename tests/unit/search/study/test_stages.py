import dataclasses
import json

import pytest

import fakes
from search.engine.retraining import Job
from search.study.folder import StudyFolder
from search.study.stages import Stage, StageRun, read_ablation, read_stage
from seresnet import run as running
from seresnet.files import write_csv

FOUR = {"a": 4, "b": 4, "c": 4}


@pytest.fixture
def stage():
    """Three runs of four epochs, two at once."""
    return Stage("confirm", ()).begun(FOUR, (), 2)


def after(stage, name, *epochs, of=4, seconds=2.0):
    for epoch in epochs:
        each = dataclasses.replace(fakes.result(epoch, 0.5), seconds=seconds)
        stage = stage.trained(name, each, of)
    return stage


def test_a_stage_counts_runs_and_epochs(stage):
    stage = after(after(stage, "a", 1, 2, 3, 4), "c", 1)
    assert (stage.num_done, stage.epochs_done, stage.epochs_most) == (1, 5, 12)
    assert [run.name for run in stage.running] == ["c"]
    assert not stage.is_done
    assert after(after(stage, "b", 4), "c", 4).is_done


def test_a_run_that_diverged_has_no_epochs_to_come(stage):
    stage = after(stage, "a", 1).ended("a")
    assert (stage.num_done, stage.epochs_most, stage.running) == (1, 9, [])


def test_a_stage_that_is_begun_again_keeps_what_is_known(stage):
    again = after(stage, "a", 1, 2).begun(FOUR, {"b"}, 1)
    assert [(run.epochs_done, run.is_done) for run in again.runs] == [
        (2, False), (0, True), (0, False),
    ]  # fmt: skip
    more = again.begun({"reduced": 4}, (), 1)
    assert [run.name for run in more.runs] == ["a", "b", "c", "reduced"]


@pytest.mark.parametrize(
    ("at_once", "seconds"),
    [pytest.param(1, 22.0, id="one-by-one"), pytest.param(2, 14.0, id="two"),
     pytest.param(3, 8.0, id="all"), pytest.param(9, 8.0, id="more-than-there-are"),
     pytest.param(0, 22.0, id="as-many-as-now")],
)  # fmt: skip
def test_the_time_left_is_that_of_the_longest_line(stage, at_once, seconds):
    stage = dataclasses.replace(after(stage, "a", 1), at_once=at_once)
    assert stage.seconds_left == seconds  # 3, 4 and 4 epochs of two seconds


def test_before_the_first_epoch_nobody_knows_the_time_left(stage):
    assert stage.seconds_left is None


def test_a_stage_that_is_done_takes_no_time(stage):
    assert after(stage, "a", 1).ended("a").ended("b").ended("c").seconds_left == 0


@pytest.fixture
def job(tmp_path, tiny_config):
    return Job(dataclasses.replace(tiny_config, epochs=4), tmp_path / "seed0", "0" * 64, {})


def wanted(job):
    return {"seed0": (4, job.config.fingerprint()), "seed1": (4, "f")}


def begin(job, *epochs):
    running.claim(job.folder, job.owner)
    rows = [dataclasses.asdict(fakes.result(epoch, 0.5)) for epoch in epochs]
    if rows:
        write_csv(job.folder / "epochs.csv", list(rows[0]), rows)


def test_runs_are_read_from_their_folders(job, tmp_path):
    assert read_stage("retrain", tmp_path, wanted(job)).runs == (
        StageRun(name="seed0", epochs=4), StageRun(name="seed1", epochs=4),
    )  # fmt: skip
    begin(job)
    begun = read_stage("retrain", tmp_path, wanted(job))
    assert (begun.at_once, begun.epochs_done) == (1, 0)
    begin(job, 1, 2)
    stage = read_stage("retrain", tmp_path, wanted(job))
    assert stage.runs[0].last == fakes.result(2, 0.5)
    assert (stage.at_once, stage.num_done, len(stage.running)) == (1, 0, 1)
    fakes.finish(job, accuracy=0.5)
    stage = read_stage("retrain", tmp_path, wanted(job))
    assert (stage.at_once, stage.num_done, stage.epochs_done) == (0, 1, 4)


def test_a_run_that_diverged_is_at_its_end(job, tmp_path):
    begin(job, 1)
    (job.folder / "diverged.json").write_text("{}")
    stage = read_stage("retrain", tmp_path, wanted(job))
    assert (stage.num_done, stage.epochs_done) == (1, 1)


def test_a_run_with_other_settings_is_not_the_one_wanted(job, tmp_path):
    fakes.finish(job, accuracy=0.5)
    other = {"seed0": (4, "another fingerprint")}
    assert read_stage("retrain", tmp_path, other).runs == (StageRun(name="seed0", epochs=4),)


@pytest.mark.parametrize(
    "text", ["", "epoch\n", "epoch,seconds\n1\n", "epoch,seconds\nx,1\n", "\0"]
)
def test_a_table_that_cannot_be_read_tells_of_no_epoch(job, tmp_path, text):
    begin(job)
    (job.folder / "epochs.csv").write_text(text)
    assert read_stage("retrain", tmp_path, wanted(job)).epochs_done == 0


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_metrics_that_cannot_be_read_are_no_end(job, tmp_path, text):
    begin(job, 1)
    for name, content in (("model.pt", ""), ("metrics.json", text)):
        (job.folder / name).write_text(content)
    assert read_stage("retrain", tmp_path, wanted(job)).num_done == 0


def test_an_ablation_is_what_has_begun_of_it(job, tmp_path):
    folder = StudyFolder(tmp_path)
    assert read_ablation(folder, 4).runs == ()
    for name in ("winner-seed1", "no-dropout-seed1"):
        begin(dataclasses.replace(job, folder=folder.ablate / name), 1)
    fakes.finish(dataclasses.replace(job, folder=folder.ablate / "winner-seed1"), accuracy=0.5)
    (folder.ablate / ".stale-winner-seed1").mkdir()
    stage = read_ablation(folder, 3)
    assert [(run.name, run.is_done, run.epochs) for run in stage.runs] == [
        ("no-dropout-seed1", False, 4), ("winner-seed1", True, 3),
    ]  # fmt: skip
    assert json.loads((folder.ablate / "winner-seed1" / "metrics.json").read_text())["epoch"] == 4
