"""`search.submit` as a command, on a made-up retraining and made-up labels."""

import json

import pytest
import torch

from search import retrain, submit
from search.study.space import load_study
from seresnet.data import Unlabelled


@pytest.fixture
def images(monkeypatch, tiny_split):
    """What each test file holds, by its name."""
    files = {
        "first.pkl": Unlabelled(tiny_split.images[:20], torch.arange(20)),
        "other one.pkl": Unlabelled(tiny_split.images[20:40], torch.arange(20)),
    }

    def load(config, root, test):
        return None if test is None else files[test.name]

    monkeypatch.setattr("search.study.dataset.load_test_images", load)
    labels = torch.nn.functional.one_hot(torch.arange(20) % 10, 10).float()
    monkeypatch.setattr("search.engine.submitting.label", lambda *_, **__: labels)
    return files


@pytest.fixture
def command(folder, trained, images):
    """The command on the study, whose winner is retrained with two seeds."""
    text = folder.study_file.read_text()
    folder.study_file.write_text(text.replace("seeds: [0]", "seeds: [0, 1]"))
    assert retrain.main(["--study", str(folder.path)]) == 0
    return ["--study", str(folder.path), "--test"]


def test_a_second_test_file_gets_a_submission_of_its_own(command, folder, capsys):
    assert submit.main([*command, "first.pkl"]) == 0
    assert submit.main([*command, "dir/other one.pkl"]) == 0
    told = capsys.readouterr()
    first, other = folder.path / "submission-first.csv", folder.path / "submission-other-one.csv"
    assert told.out.splitlines() == [
        "20 labels by t0001 with seed 0, each class 2 to 2 times",
        "agreement of the first with other seeds: 100.0% (seed 1)",
        str(first),
        "20 labels by t0001 with seed 0, each class 2 to 2 times",
        "agreement of the first with other seeds: 100.0% (seed 1)",
        str(other),
    ]
    sidecars = [json.loads(path.with_suffix(".json").read_text()) for path in (first, other)]
    assert sidecars[0]["test_sha256"] != sidecars[1]["test_sha256"]
    assert sidecars[0]["retrain_seed"] == 0
    assert other in folder.products()


def test_the_same_command_again_writes_nothing_and_says_the_same(command, folder, capsys):
    submit.main([*command, "first.pkl"])
    first, before = capsys.readouterr().out, folder.provenance.read_bytes()
    assert submit.main([*command, "first.pkl"]) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert "done already" in again.err
    assert folder.provenance.read_bytes() == before


def test_the_submission_of_another_test_file_is_never_overwritten(command, tmp_path, capsys):
    out = ["--out", str(tmp_path / "mine.csv")]
    assert submit.main([*command, "first.pkl", *out]) == 0
    before = (tmp_path / "mine.csv").read_bytes()
    assert submit.main([*command, "other one.pkl", *out]) == 2
    assert "mine.csv: is the submission of another test file" in capsys.readouterr().err
    assert submit.main([*command, "first.pkl", "--ensemble", *out]) == 2
    assert "mine.csv: is the submission of another number of models" in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["provenance.csv", "trials.csv", "provenance"])
def test_no_other_file_of_the_study_is_overwritten(command, folder, capsys, name):
    (folder.path / "trials.csv").write_text("trial\n")
    files = [path for path in folder.path.iterdir() if path.suffix in (".csv", ".json", ".yaml")]
    before = {path: path.read_bytes() for path in files}
    assert submit.main([*command, "first.pkl", "--out", str(folder.path / name)]) == 2
    assert "another run's submission" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == before


def test_an_ensemble_goes_into_a_file_of_its_own_and_is_told_so(
    command, folder, capsys, monkeypatch
):
    monkeypatch.setattr("seresnet.submission.MAX_PARAMETERS", 2000)
    monkeypatch.setattr("search.view.submission.MAX_PARAMETERS", 2000)
    assert submit.main([*command, "first.pkl", "--ensemble"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("20 labels by t0001 with seeds 0 1 together, ")
    assert "not eligible for the competition: 2,468 parameters, 2,000 are allowed" in lines
    assert lines[-1] == str(folder.path / "submission-first-ensemble.csv")


def test_one_model_is_no_ensemble(folder, trained, images, capsys):
    command = ["--study", str(folder.path), "--test", "first.pkl", "--ensemble"]
    assert submit.main(command) == 2
    assert "--ensemble: must have two retrained models" in capsys.readouterr().err


def test_what_may_be_expected_is_called_an_extrapolation(command, folder, capsys):
    submit.main([*command, "first.pkl"])
    path = folder.path / "submission-first.json"
    sidecar = json.loads(path.read_text())
    assert sidecar["expectation"] is None  # synthetic images
    found = {"test_accuracy": 0.9541, "score": 0.85, "low": 0.831, "high": 0.867}
    path.write_text(json.dumps({**sidecar, "expectation": found}, allow_nan=False))
    capsys.readouterr()
    assert submit.main([*command, "first.pkl"]) == 0
    assert (
        "score to be expected: 85.0% (83.1% to 86.7%), no result but an extrapolation from 95.41% "
        "on CIFAR-10's test set, along a line through six teams' scores"
    ) in capsys.readouterr().out


def test_a_winner_that_is_not_retrained_labels_nothing(folder, trained, images, capsys):
    assert submit.main(["--study", str(folder.path), "--test", "first.pkl"]) == 2
    told = capsys.readouterr().err
    assert "the winner t0001 is not retrained yet, or was changed: seed0" in told
    assert f"hint: run python -m search.retrain --study {folder.path}" in told
    assert load_study(folder.study_file).retrain.seeds == (0,)


def test_a_folder_without_a_study_labels_nothing(tmp_path, capsys):
    assert submit.main(["--study", str(tmp_path / "nothing"), "--test", "first.pkl"]) == 2
    assert "nothing: holds no study" in capsys.readouterr().err
