"""A budget of epochs: no trial begins that is not paid for whole, and none is paid for in vain."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from fakes import CONFIG, HOST, accuracy, result, run
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.replay import replay


def limited(max_total_epochs, **changes):
    """Trials of four epochs, judged after one and two; two of them are known settings."""
    return with_budget(CONFIG, max_total_epochs=max_total_epochs, **changes)


def opened(max_total_epochs, **changes):
    return Ledger.open(InMemoryStorage(), limited(max_total_epochs, **changes))


def report(ledger, number, *values):
    """Report further epochs of a trial; return what the last decision was."""
    for value in values:
        epoch = len(ledger.trials[number].epochs) + 1
        goes_on = ledger.report(number, result(epoch, value), HOST, attempt=1)
    return goes_on


@pytest.mark.parametrize(("limit", "at_once"), [(8, 2), (11, 2), (12, 3), (16, 4), ("none", 8)])
def test_trials_begin_that_are_paid_for_whole(limit, at_once):
    ledger = opened(limit)
    assert ledger.num_remaining == at_once
    suggestions = [ledger.suggest() for _ in range(9)]
    assert [s is not None for s in suggestions] == at_once * [True] + (9 - at_once) * [False]
    assert ledger.num_remaining == at_once


def test_what_a_trial_leaves_that_is_stopped_pays_for_another():
    ledger = opened(12)
    numbers = [ledger.suggest().number for _ in range(3)]
    for number in numbers[:2]:
        report(ledger, number, 0.9)
    assert ledger.suggest() is None
    assert ledger.may_suggest_later
    assert not report(ledger, numbers[2], 0.1)  # stopped after one epoch of four
    assert ledger.suggest() is None  # three are left over, a trial takes four
    report(ledger, 0, 0.9, 0.9, 0.9)
    ledger.fail(1, kind="diverged", error="")  # after one epoch
    assert ledger.num_remaining == 1
    assert ledger.suggest().number == 3


def test_nothing_is_waited_for_where_nothing_can_come():
    ledger = opened(8)
    for _ in range(2):
        ledger.suggest()
    assert ledger.may_suggest_later  # both could still be stopped at once
    report(ledger, 0, 0.5, 0.5, 0.5)
    assert ledger.may_suggest_later
    report(ledger, 1, 0.5, 0.5)
    assert not ledger.may_suggest_later
    assert ledger.num_remaining == 2
    report(ledger, 0, 0.5)
    report(ledger, 1, 0.5, 0.5)
    assert ledger.suggest() is None
    assert (ledger.num_remaining, ledger.num_open) == (0, 6)


def test_without_a_limit_nothing_is_waited_for():
    ledger = opened("none")
    for _ in range(8):
        ledger.suggest()
    assert not ledger.may_suggest_later


@pytest.mark.parametrize("limit", [12, 16])
def test_a_larger_limit_goes_on_and_a_smaller_one_begins_nothing(limit):
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, limited(8))
    for _ in range(2):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    assert Ledger.open(storage, limited(8)).num_remaining == 0
    assert Ledger.open(storage, limited(limit)).num_remaining == (limit - 8) // 4
    assert Ledger.open(storage, limited("none")).num_remaining == 6


@settings(max_examples=30)
@given(data=st.data(), limit=st.integers(8, 40))
def test_the_limit_is_never_passed_and_nothing_waits_that_is_paid_for(data, limit):
    """Workers ask and report in any order; each trial is at its end or fails on the way."""
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, limited(limit, num_trials=12))
    running = []
    while True:
        if (suggestion := ledger.suggest()) is not None:
            running.append(suggestion)
        elif not running:
            break
        suggestion = data.draw(st.sampled_from(running))
        epoch = len(ledger.trials[suggestion.number].epochs) + 1
        value = accuracy(suggestion.params, epoch)
        if data.draw(st.integers(0, 9)) == 0:
            ledger.fail(suggestion.number, kind="diverged", error="")
            running.remove(suggestion)
        elif not ledger.report(suggestion.number, result(epoch, value), HOST, attempt=1):
            running.remove(suggestion)
    epochs = sum(len(t.epochs) for t in ledger.trials)
    assert epochs <= limit
    assert epochs > limit - 4 or len(ledger.trials) == 12
    assert {t.state for t in ledger.trials} <= {"COMPLETE", "PRUNED", "FAIL"}
    assert ledger.num_remaining == 0
    assert replay(storage).difference == ""


def test_a_limit_decides_how_much_is_asked_and_never_what():
    def asked(limit):
        ledger = opened(limit)
        while (suggestion := ledger.suggest()) is not None:
            for epoch in (1, 2, 3, 4):
                value = accuracy(suggestion.params, epoch)
                ledger.report(suggestion.number, result(epoch, value), HOST, attempt=1)
        return [dataclasses.replace(t, epochs={}) for t in ledger.trials]

    every = asked("none")
    for limit in (8, 17, 24):
        some = asked(limit)
        assert 2 <= len(some) < len(every)
        assert some == every[: len(some)]
