"""A study at its end, in the middle, or out of budget."""

from fakes import make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.ended import check_ended


def whole(num):
    return [trial(number, [0.5] * 4) for number in range(num)]


def test_a_study_at_its_end_passes():
    found = check_ended(make_snapshot([*whole(7), trial(7, [0.4], state="PRUNED")]))
    assert found.status is Status.PASS
    assert found.sentence == "8 trials, all at their end (7 COMPLETE, 1 PRUNED)"


def test_a_running_study_is_a_look_in_the_middle():
    found = check_ended(make_snapshot([*whole(4), trial(4, [0.5], state="RUNNING")]))
    assert found.status is Status.WARNING
    assert found.sentence.startswith("4 of 8 trials not at their end (4 COMPLETE, 1 RUNNING)")
    assert found.advice


def test_a_used_budget_is_told_with_how_to_go_on():
    budget = "the budget of 20 epochs is used: 1 trial waits; raise study.max_total_epochs, then go"
    paused = trial(4, [0.5], state="PRUNED", reason="budget")
    found = check_ended(make_snapshot([*whole(4), paused], budget=budget))
    assert found.status is Status.WARNING
    assert found.sentence == "the budget of 20 epochs is used: 1 trial waits"
    assert found.advice == "raise study.max_total_epochs, then go"


def test_an_empty_study_is_not_at_its_end():
    found = check_ended(make_snapshot())
    assert found.sentence.startswith("8 of 8 trials not at their end: ")
