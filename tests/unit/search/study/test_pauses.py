"""Trials that the budget closes, and that go on once it has grown, as if nothing had been."""

import dataclasses
import itertools
import shutil

import optuna
import pytest
from optuna.storages import InMemoryStorage

from fakes import (
    HOST,
    SECONDS,
    Clock,
    MortalStorage,
    opened_within,
    play_out,
    report_next,
    result,
    run,
    trials_of,
)
from search.study.ledger import Ledger
from search.study.records import incumbent
from search.study.replay import replay
from search.study.storage import sqlite_storage


@pytest.fixture(scope="module")
def never_paused():
    return trials_of(play_out(opened_within(InMemoryStorage())))


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request, tmp_path, empty_database):
    """A function that returns the storage as a new process would open it."""
    if request.param == "memory":
        storage = InMemoryStorage()
        return lambda: storage
    shutil.copy(empty_database, tmp_path / "study.db")
    return lambda: sqlite_storage(tmp_path / "study.db")


def stored(storage):
    return optuna.load_study(study_name="search", storage=storage).get_trials()


def test_when_the_hours_are_up_each_trial_is_paused_at_its_next_report(reopen):
    clock = Clock()
    ledger = opened_within(reopen(), clock, max_hours=5 * SECONDS)
    first, second = ledger.suggest(), ledger.suggest()  # the time begins with the first
    assert [report_next(ledger, each) for each in (first, second, first)] == [True, True, True]
    assert not report_next(ledger, first)
    assert ledger.suggest() is None
    assert not ledger.may_suggest_later
    assert ledger.num_remaining == 1
    assert not report_next(ledger, second)
    assert ledger.num_remaining == 0
    assert [(t.state, t.stop_reason, len(t.epochs)) for t in ledger.trials] == [
        ("PRUNED", "budget", 3), ("PRUNED", "budget", 2),
    ]  # fmt: skip
    assert Ledger.load(reopen()).trials == ledger.trials
    assert [(t.state.name, t.value) for t in stored(reopen())] == [
        ("PRUNED", t.value) for t in ledger.trials
    ]
    assert not any(t.is_finished or t.is_running for t in ledger.trials)


def test_a_report_that_ends_a_trial_ends_it_though_the_hours_are_up():
    ledger = opened_within(InMemoryStorage(), Clock(), max_hours=4 * SECONDS)
    first = ledger.suggest()
    assert [report_next(ledger, first) for _ in range(4)] == [True, True, True, False]
    assert (ledger.trials[0].state, ledger.trials[0].stop_reason) == ("COMPLETE", "max_epochs")


def test_paused_trials_go_on_first_under_their_numbers(reopen):
    ledger = opened_within(reopen(), Clock(), max_hours=3 * SECONDS)
    suggestions = [ledger.suggest() for _ in range(2)]
    for each in suggestions:
        while report_next(ledger, each):
            pass
    before = stored(reopen())
    again = opened_within(reopen(), Clock(), max_hours=100 * SECONDS)
    assert [(t.state, t.stop_reason) for t in again.trials] == 2 * [("RUNNING", "")]
    for trial, old in zip(stored(reopen()), before, strict=True):
        assert (trial.state.name, trial.value, trial.datetime_complete) == ("RUNNING", None, None)
        assert (trial.params, trial.intermediate_values) == (old.params, old.intermediate_values)
        assert trial.datetime_start == old.datetime_start
    for old in suggestions:
        new, done = again.suggest(), len(again.trials[old.number].epochs)
        assert new == dataclasses.replace(old, attempt=2, epochs_stored=done)
    assert again.suggest().number == 2


def test_the_next_start_with_the_same_budget_does_nothing(reopen):
    play_out(opened_within(reopen(), Clock(), max_hours=7 * SECONDS))
    before = stored(reopen())
    ledger = opened_within(reopen(), Clock(), max_hours=7 * SECONDS)
    assert (ledger.num_remaining, ledger.suggest()) == (0, None)
    assert ledger.num_open > 0
    assert stored(reopen()) == before


@pytest.mark.parametrize(("hours", "num_workers"), [(7, 1), (5, 3)])
def test_a_study_paused_again_and_again_ends_as_one_that_never_was(
    never_paused, reopen, hours, num_workers
):
    for starts in itertools.count(1):
        ledger = opened_within(reopen(), Clock(), max_hours=hours * starts * SECONDS)
        assert not any(t.is_paused for t in ledger.trials)
        if not play_out(ledger, num_workers).num_open:
            break
    assert starts > 1
    assert replay(reopen()).difference == ""
    if num_workers == 1:
        assert trials_of(ledger) == never_paused
    assert any(name.startswith("pause:") for t in stored(reopen()) for name in t.user_attrs)


def begin(storage, *counts):
    """Begin trials, each better than the one before, and report so many epochs, without a limit."""
    ledger = opened_within(storage)
    for number, count in enumerate(counts):
        assert run(ledger, *count * [0.1 * number]) == number
    assert [len(t.epochs) for t in ledger.trials if t.is_running] == list(counts)


def test_a_smaller_budget_of_epochs_closes_what_it_does_not_pay_for(reopen):
    """Six epochs are done; eight pay for the last two of one trial, or for the last of another."""
    begin(reopen(), 2, 3, 1)
    ledger = opened_within(reopen(), max_total_epochs=8)
    assert [t.stop_reason for t in ledger.trials] == ["", "", "budget"]
    assert ledger.suggest().number == 0
    assert ledger.suggest() is None
    assert ledger.may_suggest_later
    ledger.fail(0, kind="diverged", error="")
    second = ledger.suggest()
    assert second.number == 1
    assert not report_next(ledger, second)
    assert ledger.trials[1].state == "COMPLETE"
    assert (ledger.num_remaining, ledger.suggest()) == (0, None)
    assert sum(len(t.epochs) for t in ledger.trials) == 7
    assert replay(reopen()).difference == ""


def test_what_waits_until_it_is_no_longer_paid_for_is_closed(reopen):
    """Two epochs are done; eight pay for any of the trials, but not for all."""
    begin(reopen(), 1, 1, 0)
    ledger = opened_within(reopen(), max_total_epochs=8)
    assert [t.state for t in ledger.trials] == 3 * ["RUNNING"]
    play_out(ledger, num_workers=3)
    assert [t.stop_reason for t in ledger.trials] == ["max_epochs", "max_epochs", "budget"]
    assert ledger.num_remaining == 0


def test_a_budget_that_pays_for_one_of_the_paused_opens_that_one(reopen):
    begin(reopen(), 1, 3, 3, 2)
    closed = opened_within(reopen(), max_total_epochs=9)
    assert [t.stop_reason for t in closed.trials] == 4 * ["budget"]
    ledger = opened_within(reopen(), max_total_epochs=10)
    assert [t.stop_reason for t in ledger.trials] == ["budget", "", "", "budget"]
    play_out(ledger)
    assert [t.stop_reason for t in ledger.trials] == ["budget", "max_epochs", "budget", "budget"]


@pytest.mark.parametrize("ends", [True, False], ids=["closed", "killed"])
def test_time_is_kept_through_all_starts(reopen, ends):
    clock = Clock()
    ledger = opened_within(reopen(), clock)
    suggestion = ledger.suggest()
    clock.now += 1000
    report_next(ledger, suggestion)
    clock.now += 20
    report_next(ledger, suggestion)
    assert ledger.limits.seconds == 1022
    if ends:
        ledger.keep_time()
    again = opened_within(reopen(), Clock(), max_hours=1)
    assert again.limits.seconds == (1022 if ends else 1001)
    assert again.limits.seconds_left == 3600 - again.limits.seconds


def test_what_comes_before_and_after_the_search_takes_no_time():
    clock = Clock()
    ledger = opened_within(InMemoryStorage(), clock)
    clock.now += 500
    suggestion = ledger.suggest()
    report_next(ledger, suggestion)
    clock.now += 500
    ledger.keep_time()
    assert ledger.limits.seconds == 1


def test_time_is_stored_with_ends_and_else_every_half_minute():
    storage, clock = MortalStorage(), Clock()
    ledger = opened_within(storage, clock)
    suggestion = ledger.suggest()
    num = storage.writes.count("set_study_user_attr")
    for seconds, writes in ((10, 0), (10, 0), (15, 1), (5, 2)):  # the last is an end
        clock.now += seconds
        report_next(ledger, suggestion)
        assert storage.writes.count("set_study_user_attr") - num == writes


def test_a_paused_trial_hears_nothing_and_fails_no_more():
    ledger = opened_within(InMemoryStorage(), Clock(), max_hours=1 * SECONDS)
    suggestion = ledger.suggest()
    assert not report_next(ledger, suggestion)
    assert not report_next(ledger, suggestion)
    ledger.fail(0, kind="worker-died", error="")
    assert (ledger.trials[0].stop_reason, len(ledger.trials[0].epochs)) == ("budget", 1)
    assert ledger.handed_out() == []
    assert incumbent(ledger.trials) is None


def test_a_value_that_was_judged_before_the_pause_is_not_judged_again(reopen):
    """The third passes its rung; when its pause is the study's newest event, others were better."""
    ledger = opened_within(reopen(), Clock(), max_hours=7 * SECONDS)
    suggestions = [ledger.suggest() for _ in range(4)]
    for number, value in ((0, 0.1), (2, 0.5), (3, 0.9)):
        ledger.report(number, result(1, value), HOST, attempt=1)
    assert ledger.trials[2].is_running
    assert not ledger.report(2, result(1, 0.5), HOST, attempt=1)  # as a restarted worker says it
    assert [t.stop_reason for t in ledger.trials] == ["", "", "budget", ""]
    again = opened_within(reopen())
    assert [t.stop_reason for t in again.trials] == 4 * [""]
    assert suggestions[2].number in again._orphans
    assert replay(reopen()).difference == ""
