import pytest

from search.study.breaker import Breaker
from search.study.records import TrialRecord


def ended(error="", kind="exception", state="FAIL"):
    return TrialRecord(number=0, params={}, state=state, error_kind=kind, error=error)


def verdicts(breaker, *trials):
    return [breaker.note(trial) for trial in trials]


def test_three_failures_alike_before_any_success_end_the_search():
    first, second, third = verdicts(Breaker("auto", 100), *[ended("boom")] * 3)
    assert (first, second) == ("", "")
    assert third == "the first 3 trials failed alike: exception: boom"


def test_failures_that_differ_or_follow_a_success_are_counted_to_the_limit():
    breaker = Breaker(4, 100)
    assert not any(verdicts(breaker, ended("a"), ended("b"), ended("a")))
    assert breaker.note(ended("a")) == "4 trials failed, 3 of them with exception: a"
    breaker = Breaker(4, 100)
    assert not any(verdicts(breaker, ended(state="PRUNED"), *[ended("a")] * 3))
    assert breaker.note(ended("a"))


def test_after_a_success_of_an_earlier_start_three_alike_are_no_storm():
    assert not any(verdicts(Breaker("auto", 10, has_success=True), *[ended("boom")] * 3))


def test_diverged_trials_are_results():
    assert not any(verdicts(Breaker(1, 10), *[ended("loss", "diverged")] * 9))


@pytest.mark.parametrize(("num_trials", "limit"), [(1, 5), (24, 5), (26, 6), (100, 20)])
def test_the_limit_of_its_own_accord_is_five_or_a_fifth(num_trials, limit):
    breaker = Breaker("auto", num_trials)
    breaker.note(ended(state="COMPLETE"))
    assert not any(verdicts(breaker, *[ended("x")] * (limit - 1)))
    assert breaker.note(ended("x"))
