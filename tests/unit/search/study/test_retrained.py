"""What is known of the retrained models on labelled test images, whatever the files hold."""

import dataclasses
import json

import pytest

import fakes
from fakes import make_snapshot, trial
from looks import leave_model, take_look
from search.study.retrained import retrained_models


@pytest.fixture
def snapshot(tmp_path):
    retrain = dataclasses.replace(fakes.CONFIG.retrain, seeds=(0, 1))
    config = dataclasses.replace(fakes.CONFIG, retrain=retrain)
    return make_snapshot([trial(0, [0.5] * 4), trial(1, [0.6] * 4)], config, path=tmp_path / "mine")


def test_a_study_without_a_retrained_model_has_none(snapshot):
    assert retrained_models(snapshot) == []


def test_models_come_in_the_order_of_the_seeds_with_their_looks(snapshot):
    for seed in (1, 0):
        take_look(leave_model(snapshot, seed=seed))
    first, second = retrained_models(snapshot)
    assert (first.seed, second.seed) == (0, 1)
    (seen,) = first.looks
    accuracy, last = seen.accuracies
    assert (seen.num_images, accuracy.weights, accuracy.plain) == (30, "averaged", 0.8125)
    assert (last.weights, last.mirrored) == ("last", 0.9)
    assert first.mistakes.num_images == 30
    assert first.is_winner
    assert first.problem == ""


def test_a_model_that_nobody_looked_at_has_no_look(snapshot):
    leave_model(snapshot)
    (found,) = retrained_models(snapshot)
    assert (found.looks, found.mistakes) == ((), None)


def test_a_model_of_an_earlier_winner_is_told_apart(snapshot):
    take_look(leave_model(snapshot, won="t0000"))
    assert not retrained_models(snapshot)[0].is_winner


def test_looks_and_mistakes_of_another_model_are_not_this_ones(snapshot):
    folder = leave_model(snapshot)
    take_look(folder)
    (folder / "model.pt").write_bytes(b"trained anew")
    (found,) = retrained_models(snapshot)
    assert (found.looks, found.mistakes) == ((), None)


@pytest.mark.parametrize("name", ["evaluation.json", "mistakes.json"])
def test_a_damaged_file_is_a_problem_that_names_no_folder_of_this_machine(snapshot, name):
    folder = leave_model(snapshot)
    take_look(folder)
    (folder / name).write_text("{")
    (found,) = retrained_models(snapshot)
    assert found.problem.startswith(f"retrain/seed0/{name}: is damaged")
    assert "move it away" in found.problem


def test_a_look_that_lacks_something_is_damaged(snapshot):
    folder = leave_model(snapshot)
    take_look(folder)
    content = json.loads((folder / "evaluation.json").read_text())
    del content["evaluations"][0]["weights"]["averaged"]["standard_error"]
    (folder / "evaluation.json").write_text(json.dumps(content, allow_nan=False))
    assert "evaluation.json: is damaged: KeyError" in retrained_models(snapshot)[0].problem


@pytest.mark.parametrize("text", ["{", "[]", "{}", None])
def test_a_retraining_that_is_not_whole_is_none(snapshot, text):
    metrics = leave_model(snapshot) / "metrics.json"
    metrics.unlink() if text is None else metrics.write_text(text)
    assert retrained_models(snapshot) == []
