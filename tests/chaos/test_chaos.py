"""A short round of the chaos loop, and that its judge sees what is broken."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def judge(monkeypatch):
    """The module as `loop.py` imports it: a script's neighbours lie on its path."""
    monkeypatch.syspath_prepend(str(HERE))
    import judge

    yield judge
    for name in ("judge", "kills"):
        sys.modules.pop(name, None)


@pytest.mark.ray
@pytest.mark.faults
def test_a_study_killed_at_random_moments_ends_as_one_that_was_not():
    options = ["--seeds", "1", "--num-trials", "3", "--kills", "1", "--no-retrain"]
    command = [sys.executable, str(HERE / "loop.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "In 1 of 1 rounds no promise was broken" in done.stdout
    assert done.stderr.count("killed in training") >= 1
    assert "killed in start-up" in done.stderr


def study(judge, **changes):
    """A finished trial and a running one; `changes` replace trials by number."""
    trials = {
        0: judge.StoredTrial("COMPLETE", {"lr": 0.1}, {1: 0.4, 2: 0.5}, (0.5,)),
        1: judge.StoredTrial("RUNNING", {"lr": 0.2}, {1: 0.3}),
    }
    trials |= {int(name.removeprefix("t")): trial for name, trial in changes.items()}
    return {number: trial for number, trial in trials.items() if trial}


def finished(judge):
    return study(judge, t1=judge.StoredTrial("PRUNED", {"lr": 0.2}, {1: 0.3, 2: 0.2}))


def test_judge_is_content_with_a_study_that_goes_on(judge):
    assert judge.check_kill(study(judge), finished(judge), finished(judge)) == []
    assert judge.check_kill({}, study(judge), finished(judge)) == []


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        pytest.param({"t0": None}, "trials lost", id="a-trial-is-gone"),
        pytest.param({"t1": ("RUNNING", {"lr": 0.1}, {})}, "trials doubled", id="twins"),
        pytest.param(
            {"t0": ("COMPLETE", {"lr": 0.1}, {1: 0.4, 2: 0.6}, (0.6,))},
            "finished trials changed",
            id="a-finished-trial-has-another-value",
        ),
        pytest.param({"t1": ("RUNNING", {"lr": 0.2}, {})}, "progress lost", id="an-epoch-is-gone"),
        pytest.param(
            {"t1": ("COMPLETE", {"lr": 0.2}, {1: 0.3, 2: 0.2}, (0.2,))},
            "differences from the uninterrupted run",
            id="another-stop-decision",
        ),
    ],
)
def test_judge_names_the_broken_promise(judge, change, promise):
    trials = {name: trial and judge.StoredTrial(*trial) for name, trial in change.items()}
    broken = judge.check_kill(study(judge), study(judge, **trials), finished(judge))
    assert promise in {name for name, _ in broken}


def test_judge_sees_epochs_that_stand_twice_in_the_table(judge, tmp_path):
    path = tmp_path / "epochs.csv"
    path.write_text("trial,epoch,val_accuracy\nt0000,1,0.4\nt0000,1,0.4\nt0001,1,0.4\n")
    assert judge.check_repeats(path) == [("epochs reported twice", "t0000, epoch 1")]


def test_judge_compares_all_of_a_table_but_times(judge, tmp_path):
    for name, seconds, value in (("a", 1, 0.4), ("b", 2, 0.4), ("c", 1, 0.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "trials.csv").write_text(f"trial,seconds,val_accuracy\nt0000,{seconds},{value}\n")
    folders = [tmp_path / name for name in "abc"]
    assert judge.check_end(*folders[:2], is_retrained=False) == []
    assert len(judge.check_end(*folders[1:], is_retrained=False)) == 1


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        pytest.param("", "killed between the epoch's end and its checkpoint", id="not-saved"),
        pytest.param(
            "after-rename .epoch-0001.pt.7.staged 7\n",
            "its worker outlived the kill, and the fence of the next start refused its checkpoint",
            id="refused",
        ),
        pytest.param(
            "after-checkpoint epoch-0001.pt 7\n",
            "trained again although its checkpoint was saved",
            id="saved",
        ),
        pytest.param(
            "before-rename x 8\nafter-checkpoint epoch-0001.pt 7\n",
            "saved by the killed start's worker when the next start had begun",
            id="saved-late",
        ),
    ],
)
def test_log_says_why_an_epoch_was_trained_again(judge, tmp_path, between, reason):
    log = tmp_path / "failpoints.log"
    log.write_text(f"epoch-trained t0000 1 7\n{between}epoch-trained t0000 1 8\n")
    assert judge.trained_again(log) == {reason: 1}
    assert judge.times_trained(log) == {("t0000", "1"): 2}
