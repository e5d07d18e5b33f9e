"""A short round of the chaos loop, and that its judge sees what is broken."""

import importlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import HOST, result
from search.study.ledger import Ledger
from search.study.storage import sqlite_storage
from seresnet import failpoints

HERE = Path(__file__).parent


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script, whose neighbours lie on its path when it runs."""
    monkeypatch.syspath_prepend(str(HERE))
    yield importlib.import_module
    for path in HERE.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def judge(script):
    return script("judge")


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


@pytest.fixture
def driver(study_config, tmp_path):
    """A study with two epochs of one trial, whose driver logs the places it passes."""
    log = tmp_path / "failpoints.log"

    def act(name, detail):
        with log.open("a") as file:
            file.write(f"{name} {detail} 7\n")

    with failpoints.installed(act):
        ledger = Ledger.open(sqlite_storage(tmp_path / "study.db"), study_config)
        ledger.suggest()
        for epoch in (1, 2):
            report(ledger, epoch)
        yield ledger


def report(ledger, epoch):
    ledger.report(0, result(epoch, 0.5), HOST, attempt=1)


def told(judge, tmp_path):
    broken = judge.check_repeats(tmp_path / "study.db", tmp_path / "failpoints.log")
    assert {promise for promise, _ in broken} <= {"epochs reported twice"}
    return [text for _, text in broken]


def test_judge_finds_no_epoch_twice_in_a_sound_study(judge, driver, tmp_path):
    assert told(judge, tmp_path) == []
    assert (tmp_path / "failpoints.log").read_text().count("after-value t0000") == 2


def test_judge_is_content_with_metrics_whose_value_a_kill_cut_off(judge, driver, tmp_path):
    def kill(name, _):
        if name == "before-value":
            raise KeyboardInterrupt

    with failpoints.installed(kill), pytest.raises(KeyboardInterrupt):
        report(driver, 3)
    assert told(judge, tmp_path) == []


def test_judge_finds_nothing_where_no_study_is_yet(judge, tmp_path):
    assert told(judge, tmp_path) == []
    sqlite3.connect(tmp_path / "study.db").close()
    assert told(judge, tmp_path) == []


def test_judge_sees_an_epoch_that_the_driver_stored_again(judge, driver, tmp_path):
    driver.trials[0].epochs.pop(1)
    with pytest.warns(UserWarning, match="already reported"):
        report(driver, 1)
    assert told(judge, tmp_path) == [
        "event 2 is missing, or one before it stands twice",
        "t0000: 3 values were stored for 2 epochs",
    ]


def make_database(path, rows=""):
    """Make a study's tables without Optuna's rule that a trial has one row an epoch."""
    database = sqlite3.connect(path)
    database.executescript(f"""
        CREATE TABLE trials (trial_id, number, state);
        CREATE TABLE trial_user_attributes (trial_id, key, value_json);
        CREATE TABLE trial_intermediate_values (trial_id, step);
        {rows}
    """)
    database.close()


def test_judge_sees_rows_that_stand_twice_in_the_database(judge, tmp_path):
    rows = """
        INSERT INTO trials VALUES (1, 0, 'RUNNING'), (2, 1, 'RUNNING');
        INSERT INTO trial_user_attributes VALUES
            (1, 'ask', '{"seq": 1}'), (2, 'ask', '{"seq": 2}'),
            (1, 'epoch:0001', '{"seq": 3}'), (2, 'epoch:0001', '{"seq": 3}');
        INSERT INTO trial_intermediate_values VALUES (1, 1), (2, 1), (1, 1);
    """
    make_database(tmp_path / "study.db", rows)
    assert told(judge, tmp_path) == [
        "trial 0, epoch 1", "event 4 is missing, or one before it stands twice",
    ]  # fmt: skip


def test_judge_forgives_lost_work_but_not_saved_work_done_again(judge):
    forgiven = judge.Counter({judge.NOT_SAVED: 3, judge.REFUSED: 2, judge.SAVED_LATE: 1})
    assert judge.check_trained_again(forgiven) == []
    broken = judge.check_trained_again(forgiven + judge.Counter({judge.SAVED: 2}))
    assert [promise for promise, _ in broken] == ["saved epochs trained again"] * 2


SAVED_AND_AGAIN = (
    "epoch-trained t0000 1 7\nafter-checkpoint epoch-0001.pt 7\nepoch-trained t0000 1 8\n"
)


@pytest.mark.parametrize(
    ("log", "exit_code", "complaint"),
    [
        pytest.param("epoch-trained t0000 1 7\n", 0, "", id="sound"),
        pytest.param(SAVED_AND_AGAIN, 1, "saved epochs trained again: ", id="saved-and-again"),
        pytest.param("after-value t0000 7\n", 1, "epochs reported twice: ", id="told-twice"),
    ],
)
def test_a_round_fails_for_what_its_log_tells(
    script, monkeypatch, capsys, tmp_path, log, exit_code, complaint
):
    loop, kills = script("loop"), script("kills")

    def start(command, *_):
        (command.scratch / "study").mkdir()
        make_database(command.scratch / "study" / "study.db")
        if command.scratch.name == "killed":
            command.failpoints.write_text(log)
        return kills.Outcome(0, kills.STARTUP, 1.0, 1.0)

    monkeypatch.setattr(loop, "run_start", start)
    monkeypatch.setattr(loop.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["loop.py", "--seeds", "1", "--no-retrain"])
    assert loop.main() == exit_code
    assert complaint in capsys.readouterr().err


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
