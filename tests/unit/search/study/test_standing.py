import dataclasses
import json
from datetime import UTC, datetime

import pytest

import fakes
from search.study import standing
from search.study.folder import StudyFolder, opened
from search.study.policies import with_budget
from search.study.space import Domain, StudyConfig
from search.study.standing import look, without_study
from seresnet import run as running


def made(folder, config, *runs):
    """A study in whose folder each trial has reported these values."""
    with opened(folder, config, fakes.IMAGES) as ledger:
        for values in runs:
            fakes.run(ledger, *values)
    return look(folder)


def test_a_study_in_the_middle_of_its_search_is_stopped_unless_somebody_drives_it(study_dir):
    found = made(study_dir, fakes.CONFIG, (0.1, 0.2, 0.3, 0.4), (0.5,))
    assert (found.state, found.stage, found.driver) == ("stopped", "search", "")
    assert (found.num_trials, found.num_planned, found.num_epochs) == (2, 8, 5)
    assert (found.best.id, found.gain, found.later) == ("t0000", 0.0, None)
    with opened(study_dir, fakes.CONFIG, fakes.IMAGES):
        found = look(study_dir)
    assert found.state == "running"
    assert found.driver.startswith("process ")


def test_a_retraining_before_the_end_of_the_search_is_what_is_done_now(study_dir):
    made(study_dir, fakes.CONFIG, (0.1, 0.2, 0.3, 0.4))
    running.claim(study_dir.confirm / "t0000-seed11", "0" * 64)
    assert look(study_dir).stage == "search"
    with opened(study_dir, fakes.CONFIG, fakes.IMAGES):
        found = look(study_dir)
    assert (found.state, found.stage, found.later.at_once) == ("running", "confirm", 1)


def test_where_nobody_can_tell_who_drives_a_study_that_is_said(study_dir, monkeypatch):
    monkeypatch.setattr(standing, "driver_of", lambda _: None)
    found = made(study_dir, fakes.CONFIG, (0.1,))
    assert (found.state, found.stage, found.driver) == ("unknown", "search", "")


def test_a_study_that_waits_for_its_budget_is_paused(study_dir, study_config):
    config = with_budget(study_config, max_total_epochs=8)
    whole = (0.1, 0.2, 0.3, 0.4)
    found = made(study_dir, config, whole, whole)
    assert (found.state, found.stage) == ("paused", "retrain")


@pytest.mark.parametrize(
    ("trial", "state"), [("t0001", "done"), ("t0000", "stopped")], ids=["winner", "another"]
)
def test_a_published_study_without_its_models_is_done(study_dir, study_config, trial, state):
    budget = dataclasses.replace(study_config.study, num_trials=2)
    config = dataclasses.replace(study_config, study=budget)
    found = made(study_dir, config, (0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.5))
    assert (found.state, found.problem) == ("stopped", "")
    sidecar = json.dumps({"run": found.snapshot.id, "trial": trial}, allow_nan=False)
    (study_dir.path / "submission.json").write_text(sidecar)
    found = look(study_dir)
    assert (found.state, found.stage) == (state, "" if state == "done" else "retrain")
    assert ("models are not here" in found.problem) == (state == "done")
    study_dir.retrain(0).mkdir(parents=True)
    assert look(study_dir).state == "stopped"


def test_a_study_without_a_complete_trial_has_failed(study_dir):
    with opened(study_dir, fakes.CONFIG, fakes.IMAGES) as ledger:
        while (suggestion := ledger.suggest()) is not None:
            ledger.fail(suggestion.number, kind="diverged", error="")
    found = look(study_dir)
    assert (found.state, found.stage, found.best, found.gain) == ("failed", "", None, None)


def test_a_study_of_another_trainable_is_done_with_its_search(study_dir):
    budget = dataclasses.replace(fakes.CONFIG.study, num_trials=2)
    config = StudyConfig(
        study=budget, space={"alpha": Domain(low=0, high=1)}, baseline={"alpha": 0.5},
        trainable="digits",
    )  # fmt: skip
    whole = (0.1, 0.2, 0.3, 0.4)
    found = made(study_dir, config, whole, whole)
    assert (found.state, found.stage, found.later) == ("done", "", None)


def test_the_files_of_a_folder_are_weighed_and_dated(tmp_path):
    folder = StudyFolder(tmp_path)
    assert without_study(folder, "no study", "empty").last_activity is None
    (tmp_path / "deep").mkdir()
    for name, size in (("a", 3), ("deep/b", 4)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = without_study(folder, "no study", "nothing of ours")
    assert (found.num_bytes, found.problem, found.num_trials) == (7, "nothing of ours", None)
    newest = max(p.stat().st_mtime for p in (tmp_path / "a", tmp_path / "deep" / "b"))
    assert found.last_activity == datetime.fromtimestamp(newest, UTC)
