"""The commands as they are typed, without Ray: help, plans, usage."""

import subprocess
import sys

import pytest
import ray

from fakes import run
from search import retrain, tune
from search.study.space import load_study

COMMANDS = [
    "search.tune", "search.retrain", "search.confirm", "search.ablate", "search.submit",
    "search.replay", "search.report", "search.status",
]  # fmt: skip
HEAVY = ("torch", "ray", "pandas", "optuna", "numpy", "yaml", "pydantic", "rich")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty folder to work in, and a Ray that must not be started."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    return folder


def run_python(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(command):
    *_, title, example = run_python("-m", command, "--help").rstrip().splitlines()
    assert title == "example:"
    assert example.startswith(f"  python -m {command} --")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command):
    code = f"""
import sys, {command} as command
try:
    command.main(["--help"])
except SystemExit:
    print(sorted(set(sys.modules) & {set(HEAVY)}))
"""
    assert run_python("-c", code).splitlines()[-1] == "[]"


def test_a_dry_run_prints_a_study_file_that_loads_back_equal(study_file, workplace, capsys, timed):
    assert tune.main(["--space", str(study_file), "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("timing ")
    copy = study_file.with_name("copy.yaml")
    copy.write_text(printed.out)
    assert load_study(copy) == load_study(study_file)
    assert [line for line in printed.out.splitlines() if line.startswith("#")][:3] == [
        "# trials may be stopped after epochs: 2",
        "# search: at most 24 epochs (6 x 4)",
        "# retrain: 2 epochs (1 seeds x 2)",
    ]
    assert list(workplace.iterdir()) == []


def test_a_dry_run_prints_a_study_file_and_nothing_else(study_file, capsys):
    assert tune.main(["--space", str(study_file), "--dry-run", "--format", "json"]) == 2
    assert "--format: must not stand beside --dry-run" in capsys.readouterr().err


def test_a_dry_run_tells_what_a_confirmation_costs(study_file, capsys, timed):
    text = study_file.read_text()
    study_file.write_text(text.replace("confirm: {top: 0}", "confirm: {top: 2, seeds: [1, 2]}"))
    assert tune.main(["--space", str(study_file), "--dry-run"]) == 0
    assert "# confirm: at most 24 epochs (6 runs x 4)" in capsys.readouterr().out


def test_a_dry_run_shows_what_the_flags_change(study_file, capsys, timed):
    flags = ["--num-trials", "9", "--seed", "3", "--gpus-per-trial", "0.5"]
    flags += ["--max-concurrent", "2", "--max-total-epochs", "14", "--max-hours", "2.5"]
    assert tune.main(["--space", str(study_file), "--dry-run", *flags]) == 0
    copy = study_file.with_name("copy.yaml")
    copy.write_text(capsys.readouterr().out)
    config = load_study(copy)
    assert (config.study.num_trials, config.study.seed) == (9, 3)
    assert (config.resources.gpus_per_trial, config.resources.max_concurrent) == (0.5, 2)
    assert (config.study.max_total_epochs, config.study.max_hours) == (14, 2.5)
    assert "# search: at most 14 epochs (9 x 4 are 36), 2.5 hours\n" in copy.read_text()


def test_hours_that_end_before_any_trial_are_no_failure(study_file, monkeypatch, capsys):
    argv = ["--space", str(study_file), "--max-hours", "1e-9"]
    monkeypatch.setattr(tune, "_search_and_deliver", lambda study, view: run(study.ledger, 0.5))
    used = (
        "the budget of 1e-09 hours is used: 1 trial waits, 5 trials were not begun; "
        "raise study.max_hours, then run the same command"
    )
    assert tune.main(argv) == 0
    told = capsys.readouterr().out
    assert "1 trials (1 PAUSED), 1 epochs of 4 without stopping\n" + used + "\n" in told
    monkeypatch.setattr(tune, "_search_and_deliver", lambda *_: pytest.fail("searched again"))
    assert tune.main(argv) == 0
    told = capsys.readouterr()
    assert f"results/tiny: done already; {used}\n" in told.err
    assert used in told.out


def test_a_dry_run_without_a_pruner_promises_no_stops(study_file, capsys, timed):
    study_file.write_text(study_file.read_text().replace("name: asha", "name: none"))
    assert tune.main(["--space", str(study_file), "--dry-run"]) == 0
    assert "stopped after epochs: none" in capsys.readouterr().out


def test_a_dry_run_says_that_whole_trials_will_choose_the_rungs(study_file, capsys, timed):
    text = study_file.read_text()
    assert "rungs: fixed" in text
    study_file.write_text(text.replace("rungs: fixed", "rungs: auto, num_exempt: 4"))
    assert tune.main(["--space", str(study_file), "--dry-run"]) == 0
    assert "# rungs: auto, decided after 4 whole trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "argv"),
    [
        pytest.param(tune.main, [], id="no-study-file"),
        pytest.param(tune.main, ["--space", "a.yaml", "--trials", "3"], id="unknown-flag"),
        pytest.param(tune.main, ["--space", "a.yaml", "--num-trials", "many"], id="no-number"),
        pytest.param(tune.main, ["a.yaml"], id="positional"),
        pytest.param(retrain.main, [], id="no-study"),
    ],
)
def test_wrong_usage_ends_with_code_two(main, argv):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
