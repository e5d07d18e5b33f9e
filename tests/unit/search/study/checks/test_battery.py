"""All cards together: every one copes with every kind of study, and none is left out."""

import dataclasses
from pathlib import Path

import pytest

import search.study.checks
from fakes import CONFIG, make_snapshot, trial
from search.study import importance
from search.study.checks.battery import run_checks
from search.study.checks.check import Status
from search.study.policies import parse_rungs
from search.study.replay import Verdict

RUNNING = trial(0, [0.5], state="RUNNING")
FAILED = trial(0, [0.4], state="FAIL", error_kind="exception", error="why")
PAUSED = trial(0, [0.4], state="PRUNED", reason="budget")
STUDIES = {
    "empty": [],
    "one-begun": [trial(0, [], state="RUNNING", host=None)],
    "one-running": [RUNNING],
    "one-complete": [trial(0, [0.5] * 4)],
    "one-failed": [FAILED],
    "one-paused": [PAUSED],
    "running": [trial(n, [0.5] * 4) for n in range(5)] + [trial(5, [0.4], state="RUNNING")],
    "no-baseline": [FAILED] + [trial(n, [0.5 + n / 100] * 4) for n in range(1, 6)],
    "baseline-running": [RUNNING] + [trial(n, [0.5 + n / 100] * 4) for n in range(1, 6)],
    "failures": [trial(0, [0.5] * 4)]
    + [trial(n, [0.4], state="FAIL", error_kind="diverged") for n in range(1, 12)],
    "all-equal": [trial(n, [0.5] * 4) for n in range(12)],
    "all-wrong": [trial(n, [0.0] * 4) for n in range(12)],
    "all-right": [trial(n, [1.0] * 4, losses=[0.0] * 4) for n in range(12)],
    "stopped": [trial(0, [0.5] * 4)] + [trial(n, [0.4], state="PRUNED") for n in range(1, 12)],
}
CONFIGS = {
    "fixed": CONFIG,
    "auto": parse_rungs("auto").applied(CONFIG),
    "another-trainable": dataclasses.replace(CONFIG, trainable="digits"),
}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    """What is drawn anew is tested elsewhere."""
    monkeypatch.setattr(importance, "_DEALS", 10)
    monkeypatch.setattr(importance, "_DRAWS", 10)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("trials", STUDIES.values(), ids=STUDIES)
def test_every_card_has_something_to_say_of_every_study(trials, config):
    found = run_checks(make_snapshot(trials, config))
    for check in found:
        assert check.sentence, check
        assert isinstance(check.status, Status)
        assert "nan" not in f" {check.sentence} ".split(), check
        assert check.status is Status.PASS or check.advice, check  # what to do is always said


def test_each_card_is_asked_once_the_gravest_questions_first():
    names = [check.name for check in run_checks(make_snapshot())]
    folder = Path(search.study.checks.__file__).parent
    helpers = {"__init__", "battery", "check", "noise", "wording"}
    assert len(names) == len({path.stem for path in folder.glob("*.py")} - helpers)
    assert len(set(names)) == len(names)
    assert names[:2] == ["gain over the baseline", "failed trials"]


def test_what_is_known_already_is_not_found_out_again():
    sound = Verdict(num_trials=0, num_epochs=0)
    trials = STUDIES["all-equal"]
    found = {
        check.name: check for check in run_checks(make_snapshot(trials), replayed=sound, found=[])
    }
    assert found["same seed, same result"].status is Status.PASS
    assert "cannot tell any" in found["hyperparameters that matter"].sentence


def test_no_card_says_where_the_study_lies_on_this_machine():
    trials = [trial(0, [0.5] * 4), trial(1, [0.6] * 4)]
    found = run_checks(make_snapshot(trials, path="/home/ada/work/results/demo"))
    said = " ".join(check.sentence + check.advice for check in found)
    assert "--study results/demo" in said
    assert "/home" not in said
