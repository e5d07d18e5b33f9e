"""Failed trials: none, a few, a storm; a diverged one is a result."""

import dataclasses

import pytest

from fakes import CONFIG, make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.failures import check_failures


def study(*kinds, num_good=8):
    """Good trials, then one that failed for each kind."""
    good = [trial(number, [0.5] * 4) for number in range(num_good)]
    bad = [
        trial(num_good + k, [0.4], state="FAIL", error_kind=kind, error="why")
        for k, kind in enumerate(kinds)
    ]
    return make_snapshot(good + bad)


def test_a_study_without_failures_passes():
    found = check_failures(study())
    assert found.status is Status.PASS
    assert found.sentence == "of 8 trials at their end none failed or diverged"


def test_one_failure_is_a_warning_that_names_its_kind_and_a_remedy():
    found = check_failures(study("cuda-oom"))
    assert found.status is Status.WARNING
    assert found.sentence == "1 of 9 trials ended badly (11%): 1 cuda-oom"
    assert "--gpus-per-trial" in found.advice


def test_a_storm_fails_at_the_breakers_limit():
    assert check_failures(study(*["worker-died"] * 4)).status is Status.WARNING
    found = check_failures(study(*["worker-died"] * 3, "exception", "exception"))
    assert found.status is Status.FAIL
    assert found.sentence.endswith("3 worker-died, 2 exception")


def test_the_limit_is_the_study_files_own():
    snapshot = study("exception", "exception")
    assert check_failures(snapshot).status is Status.WARNING
    config = dataclasses.replace(CONFIG, study=dataclasses.replace(CONFIG.study, max_failed=2))
    found = check_failures(dataclasses.replace(snapshot, config=config))
    assert found.status is Status.FAIL


@pytest.mark.parametrize(
    ("num", "status"), [(2, Status.PASS), (3, Status.WARNING), (9, Status.FAIL)]
)
def test_diverged_trials_are_judged_by_their_share(num, status):
    found = check_failures(study(*["diverged"] * num))
    assert found.status is status
    assert f"{num} diverged" in found.sentence
    assert bool(found.advice) == (status is not Status.PASS)


def test_a_single_trial_that_failed_fails():
    assert check_failures(study("exception", num_good=0)).status is Status.FAIL


def test_who_runs_or_waits_is_not_at_its_end():
    running = trial(0, [0.5], state="RUNNING")
    paused = trial(1, [0.5], state="PRUNED", reason="budget")
    found = check_failures(make_snapshot([running, paused]))
    assert found.sentence == "of 0 trials at their end none failed or diverged"
