"""Whatever a follower does, the driver goes on; what it is shown is whole."""

import dataclasses
import threading

import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, play_out, run, trials_of
from search.study.ledger import Ledger
from search.view import background
from search.view.background import Background, in_background


class Slow:
    """Waits for leave before each trial that it is shown."""

    def __init__(self):
        self.may_go_on = threading.Event()
        self.trials = {}
        self.num_calls = 0
        self.thread = None

    def __call__(self, trials):
        self.thread = threading.current_thread()
        return self

    def trial_changed(self, trial):
        assert self.may_go_on.wait(30)
        self.num_calls += 1
        self.trials[trial.number] = trial


@pytest.fixture
def slow():
    slow = Slow()
    yield slow
    slow.may_go_on.set()
    if slow.thread is not None:
        slow.thread.join(30)


@pytest.fixture
def ledger():
    return Ledger.open(InMemoryStorage(), CONFIG)


def test_a_slow_follower_sees_each_trial_as_it_ended(slow, ledger):
    with in_background(slow, ledger.trials, (), "--slow") as follower:
        ledger.observe = follower.trial_changed
        play_out(ledger, 2)
        slow.may_go_on.set()
    seen = [slow.trials[number] for number in sorted(slow.trials)]
    assert [dataclasses.replace(trial, attempts=0) for trial in seen] == trials_of(ledger)
    assert slow.num_calls <= len(ledger.trials) + 1  # not once an epoch: it was behind


def test_a_start_shows_what_the_study_holds(slow, ledger):
    play_out(ledger)
    slow.may_go_on.set()
    with in_background(slow, ledger.trials, (), "--slow"):
        pass
    assert sorted(slow.trials) == [trial.number for trial in ledger.trials]


def test_what_it_is_shown_does_not_change_under_its_hands(slow, ledger):
    with in_background(slow, ledger.trials, (), "--slow") as follower:
        ledger.observe = follower.trial_changed
        run(ledger, 0.1)
        slow.may_go_on.set()
    (seen,) = slow.trials.values()
    ledger.report(0, dataclasses.replace(ledger.trials[0].epochs[1], epoch=2), None, attempt=1)
    assert list(seen.epochs) == [1]


def test_a_refusal_is_told_once_and_the_search_goes_on(ledger, caplog):
    class Refusing:
        def trial_changed(self, trial):
            raise OSError("no route\nto host")

    with in_background(lambda _: Refusing(), ledger.trials, (OSError,), "--mlflow URI") as follower:
        ledger.observe = follower.trial_changed
        play_out(ledger)
    assert [record.getMessage() for record in caplog.records] == [
        "--mlflow URI: no route to host; the study has it all, and a later start tells the rest"
    ]


def test_one_that_does_not_come_on_is_left(slow, ledger, caplog, monkeypatch):
    monkeypatch.setattr(background, "_PATIENCE", 0.01)
    run(ledger, 0.1)
    follower = Background(slow, ledger.trials, (), "--slow")
    follower.close(patience=0.01)
    assert "--slow: no answer in time" in caplog.text


def test_a_command_that_is_to_end_waits_for_it_but_a_moment(slow, ledger, caplog, monkeypatch):
    monkeypatch.setattr(background, "_AT_A_STOP", 0.01)
    run(ledger, 0.1)
    with pytest.raises(KeyboardInterrupt), in_background(slow, ledger.trials, (), "--slow"):
        raise KeyboardInterrupt
    assert "--slow: no answer in time" in caplog.text
