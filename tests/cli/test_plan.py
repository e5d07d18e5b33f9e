"""`--dry-run`: a plan of this machine; no Ray, nothing written, whatever is wrong is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray
import torch

from search import tune
from search.engine.grants import Crew
from search.engine.timing import TimingError

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "results" / "cpu-plan"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty folder to work in, two cores without a GPU, and a Ray that must not be started."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.3, 9.0, 9.0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    return folder


@pytest.fixture
def plan(study_file, capsys):
    """A function that makes a plan of the tiny study; returns code, stdout and stderr."""

    def plan(*flags, space=study_file):
        code = tune.main(["--space", str(space), "--dry-run", *flags])
        return code, *capsys.readouterr()

    return plan


def cells(text, row):
    """The numbers of a row of the table."""
    (line,) = [each for each in text.splitlines() if each.startswith(f"#   {row} ")]
    return [cell.strip() for cell in line.removeprefix(f"#   {row}").split("  ") if cell.strip()]


def test_a_plan_says_what_the_study_takes_here(plan, timed, workplace):
    code, out, err = plan()
    assert code == 0
    assert err == "timing 2 at once with 1 thread each, then simulating the study\n"
    assert "# the plan, of this machine: 2 cores of " in out
    # 256 x 0.01 s + 256 x 0.002 s, a checkpoint, a report
    assert "# an epoch of a trial: 3.1 s (3.1 s to 3.1 s), timed on cpu in float32" in out
    assert "# simulated 3 times, suggestions by tpe, curves of crossing-none, crossing-mild" in out
    for row in ("stopped at epoch 2", "complete", "epochs", "search", "retraining"):
        assert cells(out, row)
    assert cells(out, "whole command")[-1].endswith(" s")
    assert "# disk: " in out
    assert list(workplace.iterdir()) == []


def test_trials_are_timed_as_they_run_and_a_retraining_with_what_they_leave_idle(plan, timed):
    plan()
    (asked,) = timed
    assert (asked["trials"], asked["retrainings"]) == (Crew(2, 1), Crew(1, 2))
    assert (asked["channels"], asked["sizes"]) == ((8, 8, 16, 16), (256, 256))
    assert not asked["on_gpu"]


@pytest.mark.parametrize(
    ("flags", "trials", "retrainings"),
    [
        pytest.param(["--max-concurrent", "1"], Crew(1, 1), Crew(1, 1), id="one-at-once"),
        pytest.param(["--num-trials", "4"], Crew(4, 1), Crew(1, 8), id="no-more-than-trials"),
    ],
)
def test_no_more_are_timed_than_can_run(
    plan, timed, monkeypatch, study_file, flags, trials, retrainings
):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    plan(*flags)
    assert (timed[0]["trials"], timed[0]["retrainings"]) == (trials, retrainings)


def test_a_search_alone_is_planned_alone(plan, timed):
    _, out, _ = plan("--no-retrain")
    assert timed[0]["retrainings"] == timed[0]["trials"]  # so nothing is timed for them
    assert "#   retraining" not in out
    assert cells(out, "whole command") == cells(out, "search")


def test_on_a_gpu_one_is_timed_and_hours_and_money_are_told(plan, timed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    _, out, _ = plan("--price-per-gpu-hour", "3")
    assert (timed[0]["on_gpu"], timed[0]["trials"]) == (True, Crew(1, 1))
    assert "2 at once with 1 GPU each; how many trials share a GPU is measured at the first" in out
    assert cells(out, "GPU-hours")
    assert "at 3 an hour" in cells(out, "money")[-1]
    plan("--gpus-per-trial", "0.5")
    assert timed[1]["trials"] == Crew(2, 1)  # who share the first GPU


def test_a_machine_that_cannot_hold_a_trial_is_told_and_the_rest_planned(plan, timed):
    code, out, _ = plan("--gpus-per-trial", "0.5", "--max-concurrent", "3")
    assert code == 0
    assert timed == []
    assert cells(out, "epochs")
    assert "whole command" not in out
    warning = "# warning: no epoch was timed here (resources: a trial asks for 1 CPUs and 0.5 GPUs"
    assert warning in out


def test_an_epoch_that_fails_is_told_and_the_rest_planned(plan, timed, monkeypatch):
    def fail(*_, **__):
        raise TimingError("a process was killed")

    monkeypatch.setattr("search.engine.timing.time_trainings", fail)
    code, out, _ = plan()
    assert code == 0
    assert "# warning: no epoch was timed here (a process was killed), so there are no" in out
    assert cells(out, "epochs")


def test_a_warning_follows_the_plan(plan, timed):
    *_, last = plan()[1].splitlines()
    assert last.startswith("# warning: 2 at once are more than a quarter of 6 trials: ")


def test_a_machine_that_others_use_is_told(plan, timed, monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (7.8, 0.0, 0.0))
    assert "# warning: others kept this machine busy (load 7.8, 2 cores)" in plan()[1]


def test_the_plan_for_a_cluster_says_whose_it_is(plan, timed):
    assert "# the plan, of this machine, not of the cluster" in plan("--address", "far:6379")[1]


def test_recorded_curves_can_be_simulated_with(plan, timed):
    _, out, _ = plan("--curves", str(RECORDED / "epochs.csv"), space=RECORDED / "study.yaml")
    assert f"curves of {RECORDED / 'epochs.csv'};" in out
    assert cells(out, "epochs")[-1] == "of 336 without stopping"


def refused(code, out, err):
    assert (code, out) == (2, "")
    error, hint = err.splitlines()
    return error, hint


@pytest.mark.parametrize(
    ("price", "got"), [("-1", "-1"), ("nan", "nan"), ("inf", "inf")], ids=["negative", "nan", "inf"]
)
def test_a_price_that_is_none_is_refused(plan, timed, price, got):
    error, _ = refused(*plan(f"--price-per-gpu-hour={price}"))
    assert error == f"error: --price-per-gpu-hour: must be >= 0, got {got}"
    assert timed == []


def test_curves_that_do_not_fit_are_refused_before_anything_is_timed(plan, timed):
    error, hint = refused(*plan("--curves", str(RECORDED / "epochs.csv")))
    assert "study.max_epochs is 4" in error
    assert "study.yaml" in hint
    assert timed == []


@pytest.mark.parametrize("flag", ["--price-per-gpu-hour=2", "--curves=a/epochs.csv"])
def test_what_belongs_to_a_plan_is_refused_without_one(study_file, capsys, workplace, flag):
    code = tune.main(["--space", str(study_file), flag])
    error, hint = refused(code, *capsys.readouterr())
    assert error == f"error: {flag.partition('=')[0]}: must stand beside --dry-run"
    assert "--dry-run" in hint
    assert list(workplace.iterdir()) == []


def test_the_command_times_real_epochs_without_ray(study_file, workplace):
    code = f"""
import sys, search.plan, search.tune
search.plan._TIMING_SECONDS = 0.1
if __name__ == "__main__":
    code = search.tune.main(["--space", {str(study_file)!r}, "--dry-run", "--max-concurrent", "1"])
    print(code, sorted(set(sys.modules) & {{"ray", "pandas"}}))
"""
    script = study_file.with_name("script.py")
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert "timed on cpu in float32" in done.stdout
    assert list(workplace.iterdir()) == []
