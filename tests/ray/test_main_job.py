"""The whole job through real Ray, from a study file to a submission; one trial diverges."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search import confirm, retrain, tune
from search.results import incumbent, read_epochs, read_runs, read_trials
from search.study.folder import StudyFolder
from search.study.storage import sqlite_storage
from seresnet.evaluation import read_evaluations
from seresnet.files import sha256_of
from seresnet.mistakes import read_mistakes

pytestmark = [pytest.mark.ray]

STUDY = """\
study: {num_trials: 4, min_epochs: 1, max_epochs: 2, reduction_factor: 2, seed: 3}
data: {source: synthetic, num_val: 256, num_train: 256}
train: {channels: [8, 8, 16, 16], warmup_epochs: 0, ema_decay: 0.5, precision: fp32}
space:
  lr: {low: 1e-3, high: 1e30, log: true}
baseline: {lr: 0.1}
recipes:
  explode: {lr: 1e30}
  slow: {lr: 1e-3}
sampler: {name: random}
pruner: {name: asha, rungs: fixed}
retrain: {epochs: 1, seeds: [4]}
confirm: {top: 0}
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    root = tmp_path_factory.mktemp("main-job")
    (root / "tiny.yaml").write_text(STUDY)
    return ["--space", str(root / "tiny.yaml"), "--results", str(root / "results")]


@pytest.fixture(scope="module")
def folder(command):
    """The study folder after the first command."""
    assert tune.main(command) == 0
    return StudyFolder(Path(command[3]) / "tiny")


def test_study_tells_the_truth_about_every_trial(folder):
    study = optuna.load_study(study_name="search", storage=sqlite_storage(folder.database))
    baseline, explode, slow, random = study.get_trials()
    assert baseline.state == slow.state == TrialState.COMPLETE
    assert list(baseline.intermediate_values) == [1, 2]
    assert baseline.value == baseline.intermediate_values[2]
    assert explode.state == TrialState.FAIL
    assert explode.user_attrs["end"]["error_kind"] == "diverged"
    assert explode.intermediate_values == {}
    assert random.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    assert [t.user_attrs["ask"]["name"] for t in (slow, random)] == ["slow", ""]


def test_tables_follow_the_study(folder):
    trials, epochs = read_trials(folder.path), read_epochs(folder.path)
    assert list(trials["trial"]) == ["t0000", "t0001", "t0002", "t0003"]
    assert trials.loc[1, "error_kind"] == "diverged"
    assert "loss not finite at step" in trials.loc[1, "error"]
    assert set(trials.loc[[0, 2], "threads"]) == {1}
    assert set(trials.loc[[0, 2], "device"]) == {"cpu"}
    assert incumbent(trials)["state"] == "COMPLETE"
    assert list(epochs.loc[epochs["trial"] == "t0000", "epoch"]) == [1, 2]


def test_winner_is_retrained_and_submitted_with_its_provenance(folder):
    metrics = json.loads((folder.retrain(4) / "metrics.json").read_text())
    sidecar = json.loads(folder.submission.with_suffix(".json").read_text())
    assert (folder.retrain(4) / "model.pt").is_file()
    assert metrics["num_images"] == 512
    assert sidecar["model_sha256"] == metrics["model_sha256"]
    assert sidecar["trial"] == metrics["trial"]
    rows = [line.split(",") for line in folder.submission.read_text().splitlines()]
    assert rows[0] == ["ID", "Labels"]
    assert [row[0] for row in rows[1:]] == [str(k) for k in range(1000)]
    assert {row[1] for row in rows[1:]} <= set("0123456789")
    assert len(json.loads(folder.provenance.read_text())["starts"]) == 1


def test_the_labelled_test_set_is_looked_at_once_with_the_retrained_model(folder):
    (look,) = read_evaluations(folder.retrain(4))
    mistakes = read_mistakes(folder.retrain(4))
    assert (
        look["model_sha256"] == mistakes.model_sha256 == sha256_of(folder.retrain(4) / "model.pt")
    )
    assert look["weights"].keys() == {"averaged", "last"}
    assert mistakes.num_images == 1000
    assert mistakes.most_confident
    assert "| test set of 1,000, " in (folder.retrain(4) / "model_card.md").read_text()


def test_checkpoints_are_left_of_the_incumbent_alone(folder):
    best = incumbent(read_trials(folder.path))["trial"]
    assert [path.name for path in folder.checkpoints.iterdir()] == [best]


def test_the_same_commands_again_do_nothing_and_say_so(folder, command, capsys):
    kept = [*folder.path.rglob("*.csv"), *folder.path.glob("retrain/*/*.json")]
    before = {p: p.read_bytes() for p in kept}
    assert tune.main(command) == 0
    assert "done already" in capsys.readouterr().err
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert "done already" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in kept} == before


def test_more_trials_run_only_the_new_ones(folder, command):
    before = folder.path.joinpath("epochs.csv").read_text()
    assert tune.main([*command, "--num-trials", "5", "--no-retrain"]) == 0
    assert folder.path.joinpath("epochs.csv").read_text().startswith(before)
    assert len(read_trials(folder.path)) == 5


def test_the_best_are_confirmed_against_the_baseline_through_ray(folder, capsys):
    command = ["--study", str(folder.path), "--top", "2", "--seeds", "11", "12"]
    assert confirm.main(command) == 0
    told = capsys.readouterr()
    assert "verdict: " in told.out
    record, runs = json.loads(folder.confirmation.read_text()), read_runs(folder.path)
    assert len(runs) == 2 * len(record["entrants"]) == len(list(folder.confirm.iterdir()))
    assert set(runs["epochs"]) == {2}
    assert runs["val_accuracy"].between(0, 1).all()
    assert confirm.main(command) == 0
    assert capsys.readouterr().out == told.out
