"""`search.ablate` as a command, on made-up trainings."""

import json

import pytest

import fakes
from search import ablate, confirm, tune
from search.results import read_effects
from search.study.folder import opened
from search.study.space import load_study


@pytest.fixture
def command(folder, trained):
    return ["--study", str(folder.path), "--seeds", "11", "12", "--epochs", "2"]


VARIANTS = ["winner", "baseline", "revert-dropout", "revert-warmup_epochs"]
RUNS = [f"{name}-seed{seed}" for seed in (11, 12) for name in VARIANTS]


def test_an_ablation_prints_its_table_and_the_recipe_and_leaves_its_files(
    command, folder, trained, capsys
):
    assert ablate.main(command) == 0
    assert trained[:8] == RUNS
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "without        value  baseline  mean" in told.out
    assert "seeds 11 12, 2 epochs each, a short schedule: the search's had 4" in lines
    assert "ablation of t0001: the gain stays with dropout alone: " in told.out
    assert " of 19.88 points, warmup_epochs back at the baseline" in told.out
    assert "recipe: {dropout: 0.0, warmup_epochs: 1}" in lines
    assert str(folder.path / "ablate.csv") in lines
    assert "ablate winner-seed11: epoch 2/2, val_accuracy" in told.err
    table = read_effects(folder.path)
    assert sorted(table["hyperparameter"]) == ["dropout", "warmup_epochs"]
    assert set(table["epochs"]) == {2}
    assert list(table["loss"]) == sorted(table["loss"], reverse=True)
    record = json.loads(folder.ablation.read_text())
    assert (record["trial"], record["seeds"], record["epochs"]) == ("t0001", [11, 12], 2)
    assert record["search_epochs"] == 4


def test_the_same_command_again_trains_nothing_and_says_the_same(command, trained, capsys):
    ablate.main(command)
    first = capsys.readouterr().out
    trained.clear()
    assert ablate.main(command) == 0
    again = capsys.readouterr()
    assert (trained, again.out) == ([], first)
    assert "done already" in again.err


def test_an_interrupted_ablation_goes_on_with_the_same_command(command, trained, capsys):
    trained.append(f"interrupt {RUNS[3]}")
    assert ablate.main(command) == 130
    assert "to go on: python -m search.ablate --study" in capsys.readouterr().err
    assert trained == RUNS[:3]
    assert ablate.main(command) == 0
    assert trained[:8] == RUNS


def test_runs_of_the_confirmation_serve_again(folder, trained):
    flags = ["--study", str(folder.path), "--top", "1", "--seeds", "11", "12", "--epochs", "2"]
    assert confirm.main(flags) == 0
    trained.clear()
    assert ablate.main(["--study", str(folder.path)]) == 0
    assert trained == [name for name in RUNS if name.startswith("revert")]


def test_a_winner_that_is_the_baseline_cannot_be_taken_apart(
    command, folder, trained, capsys, monkeypatch
):
    monkeypatch.setattr(trained, "accuracy", lambda config: 0.5 + config.dropout)
    confirm.main(["--study", str(folder.path), "--top", "1", "--seeds", "11", "12"])
    trained.clear()
    assert ablate.main(command) == 0
    assert "the winner is the baseline: there is nothing to put back" in capsys.readouterr().err
    assert (trained, folder.ablation.exists()) == ([], False)


def test_a_confirmation_that_is_due_comes_first(folder, trained):
    text = folder.study_file.read_text()
    folder.study_file.write_text(text.replace("top: 0", "top: 1"))
    assert ablate.main(["--study", str(folder.path)]) == 0
    assert trained[:2] == ["t0001-seed11", "t0000-seed11"]
    assert "revert-dropout-seed13" in trained


def test_another_winner_makes_an_ablation_stale(command, folder, trained, study_file, capsys):
    ablate.main(command)
    capsys.readouterr()
    study_file.write_text(study_file.read_text().replace("num_trials: 2", "num_trials: 3"))
    with opened(folder, load_study(study_file), fakes.IMAGES) as ledger:
        fakes.run(ledger, 0.9, 0.9, 0.9, 0.9)
    results = ["--results", str(folder.path.parent), "--no-retrain"]
    assert tune.main(["--space", str(study_file), *results]) == 0
    told = capsys.readouterr()
    assert "ablation of" not in told.out
    again = f"anew: python -m search.ablate --study {folder.path}"
    assert f"ablate.json is stale, of an earlier state of the study; {again}" in told.err
    assert ablate.main(command) == 0
    assert "ablation of t0002" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        pytest.param(["--seeds", "3"], "--seeds: must hold at least two seeds, got [3]", id="one"),
        pytest.param(["--epochs", "0"], "--epochs: must be auto or >= 1, got 0", id="none"),
        pytest.param(
            ["--epochs", "1"],
            "--epochs: must be > 1, the longest warm-up (space.warmup_epochs.high), got 1",
            id="warm-up",
        ),
    ],
)
def test_a_bad_flag_is_refused_by_name(folder, trained, capsys, flags, complaint):
    assert ablate.main(["--study", str(folder.path), *flags]) == 2
    assert complaint in capsys.readouterr().err
    assert trained == []
