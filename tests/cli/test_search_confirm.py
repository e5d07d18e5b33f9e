"""`search.confirm` as a command, on made-up trainings."""

import csv
import io
import json
import shlex

import pytest

import fakes
from search import ablate, confirm, retrain, tune
from search.results import read_runs
from search.study.folder import StudyFolder, opened
from search.study.space import load_study


@pytest.fixture
def command(folder, trained):
    return ["--study", str(folder.path), "--top", "1", "--seeds", "11", "12", "--epochs", "2"]


RUNS = ["t0001-seed11", "t0000-seed11", "t0001-seed12", "t0000-seed12"]


def test_a_confirmation_prints_its_table_and_verdict_and_leaves_its_files(
    command, folder, trained, capsys
):
    assert confirm.main(command) == 0
    assert trained == RUNS
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert "confirmed  name      mean" in told.out
    assert "seeds 11 12, 2 epochs each" in lines
    (verdict,) = [line for line in lines if line.startswith("verdict: ")]
    assert verdict.startswith("verdict: t0001 is shown to be better than the baseline: by 19.88 ")
    assert str(folder.path / "confirm.csv") in lines
    assert "confirm t0001-seed11: epoch 2/2, val_accuracy" in told.err
    record = json.loads(folder.confirmation.read_text())
    assert record["terms"] == {"top": 1, "seeds": [11, 12], "epochs": 2}
    assert len(read_runs(folder.path)) == 4
    config = load_study(folder.study_file)
    assert (config.confirm.top, config.confirm.seeds, config.confirm.epochs) == (1, (11, 12), 2)
    (start,) = json.loads(folder.provenance.read_text())["starts"]
    typed = shlex.join(["--study", "results/tiny", *command[2:]])
    assert start["command"] == f"python -m search.confirm {typed}"


def test_settings_of_the_retraining_alone_compare_nothing(command, folder, trained):
    text = folder.study_file.read_text()
    assert text.count("train: {}") == 1
    folder.study_file.write_text(text.replace("train: {}", "train: {nesterov: true}"))
    study = ["--study", str(folder.path)]
    assert confirm.main(command) == 0
    assert ablate.main(study) == 0
    assert retrain.main(study) == 0
    retrained = {name for name, config in trained.configs.items() if config.nesterov}
    assert retrained == {"seed0"}
    assert {"t0001-seed11", "revert-dropout-seed11"} < trained.configs.keys()


def test_the_verdict_changes_when_the_baseline_is_the_better(
    command, folder, trained, capsys, monkeypatch
):
    monkeypatch.setattr(trained, "accuracy", lambda config: 0.5 + config.dropout)
    assert confirm.main(command) == 0
    assert "verdict: not shown to be better: the baseline is the highest" in capsys.readouterr().out
    assert json.loads(folder.confirmation.read_text())["winner"] == "t0000"
    assert "retrained" not in capsys.readouterr().err
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert json.loads((folder.retrain(0) / "metrics.json").read_text())["trial"] == "t0000"


def test_what_was_retrained_before_the_verdict_changed_is_called_stale(
    command, folder, trained, capsys, monkeypatch
):
    assert retrain.main(["--study", str(folder.path)]) == 0
    monkeypatch.setattr(trained, "accuracy", lambda config: 0.5 + config.dropout)
    capsys.readouterr()
    assert confirm.main(command) == 0
    again = f"anew: python -m search.retrain --study {folder.path}"
    what = "what was retrained and submitted is stale, of an earlier state of the study"
    assert f"{what}; {again}" in capsys.readouterr().err
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert what not in capsys.readouterr().err


def test_the_same_command_again_trains_nothing_and_says_the_same(command, trained, capsys):
    confirm.main(command)
    first = capsys.readouterr().out
    trained.clear()
    assert confirm.main(command) == 0
    again = capsys.readouterr()
    assert (trained, again.out) == ([], first)
    assert "done already" in again.err


def test_an_interrupted_confirmation_goes_on_with_the_same_command(command, trained, capsys):
    trained.append(f"interrupt {RUNS[2]}")
    assert confirm.main(command) == 130
    assert "to go on: python -m search.confirm --study" in capsys.readouterr().err
    assert trained == RUNS[:2]
    assert confirm.main(command) == 0
    assert trained == RUNS


def test_what_is_not_said_is_taken_from_the_study_file(folder, trained, study_file):
    text = folder.study_file.read_text()
    folder.study_file.write_text(text.replace("top: 0", "top: 1").replace("[11, 12, 13]", "[5, 6]"))
    assert confirm.main(["--study", str(folder.path)]) == 0
    assert trained == ["t0001-seed5", "t0000-seed5", "t0001-seed6", "t0000-seed6"]


def test_a_study_file_that_leaves_the_stage_out_is_confirmed_by_the_command_alone(folder, trained):
    assert load_study(folder.study_file).confirm.top == 0
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert trained == ["seed0"]
    trained.clear()
    assert confirm.main(["--study", str(folder.path)]) == 0
    assert len(trained) == 6
    assert load_study(folder.study_file).confirm.top == 3


def test_a_retraining_confirms_first_where_the_study_file_says_so(command, folder, trained, capsys):
    confirm.main([*command[:-1], "3"])
    trained.clear()
    text = folder.study_file.read_text()
    folder.study_file.write_text(text.replace("epochs: 3", "epochs: 2"))
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert trained == [*RUNS, "seed0"]
    told = capsys.readouterr().err
    assert "confirm.json is stale, of an earlier state of the study: it is made anew" in told
    record = json.loads(folder.confirmation.read_text())
    metrics = json.loads((folder.retrain(0) / "metrics.json").read_text())
    assert record["number"] == 2
    assert metrics["trial"] == record["winner"]
    trained.clear()
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert trained == []


def test_a_stale_confirmation_is_called_so_where_the_study_is_shown(
    command, folder, trained, study_file, capsys
):
    confirm.main(command)
    capsys.readouterr()
    text = study_file.read_text()
    study_file.write_text(text.replace("confirm: {top: 0}", "confirm: {top: 1, seeds: [1, 2]}"))
    results = str(folder.path.parent)
    assert tune.main(["--space", str(study_file), "--results", results, "--no-retrain"]) == 0
    told = capsys.readouterr()
    assert "verdict" not in told.out
    again = f"anew: python -m search.confirm --study {folder.path}"
    assert f"confirm.json is stale, of an earlier state of the study; {again}" in told.err


def test_a_study_without_a_complete_trial_has_nothing_to_confirm(tmp_path, study_file, trained):
    folder = StudyFolder(tmp_path / "results" / "tiny")
    with opened(folder, load_study(study_file), fakes.IMAGES) as ledger:
        fakes.run(ledger, 0.1)
    assert confirm.main(["--study", str(folder.path)]) == 1
    assert trained == []


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        pytest.param(["--top", "0"], "--top: must be >= 1, got 0", id="top"),
        pytest.param(["--top", "-1"], "--top: confirm.top: must be >= 0, got -1", id="negative"),
        pytest.param(["--seeds", "3"], "--seeds: confirm.seeds: must hold at least two", id="one"),
        pytest.param(["--seeds", "3", "3"], "--seeds: confirm.seeds: must differ", id="twice"),
        pytest.param(["--epochs", "1"], "--epochs: confirm.epochs: must be > 1", id="warm-up"),
    ],
)
def test_a_bad_flag_is_refused_by_name(folder, trained, capsys, flags, complaint):
    assert confirm.main(["--study", str(folder.path), *flags]) == 2
    assert complaint in capsys.readouterr().err
    assert trained == []


def test_a_folder_without_a_study_cannot_be_confirmed(tmp_path, capsys):
    assert confirm.main(["--study", str(tmp_path / "nothing")]) == 2
    assert "nothing: holds no study" in capsys.readouterr().err


def test_what_a_program_reads_is_the_table_alone_or_all_of_it(command, folder, trained, capsys):
    assert confirm.main([*command, "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["trial"] for row in record["trials"]] == ["t0001", "t0000"]
    kept = json.loads(folder.confirmation.read_text())
    assert {**record["confirmation"], "sha256": kept["sha256"]} == kept
    assert record["ablation"] is None
    assert record["products"][-1] == str(folder.path / "confirm.csv")
    assert confirm.main([*command, "--format", "csv"]) == 0
    told = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(told.out)))
    assert [(row["trial"], float(row["gain"])) for row in rows] == [
        ("t0001", 0.2 - 0.1), ("t0000", 0.0),
    ]  # fmt: skip
    assert "done already" in told.err
