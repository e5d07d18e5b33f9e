"""Budgets through real Ray: Tune waits for a trial that may be paid for later, and then ends."""

import itertools
import time
from pathlib import Path

import pytest
import ray.tune
from optuna.storages import InMemoryStorage

from search.engine.cluster import session
from search.engine.course import Course
from search.engine.grants import Grant
from search.engine.messages import EpochMessage, Failure
from search.engine.tuning import run_search
from search.interrupts import StopRequest
from search.study.ledger import Ledger
from search.study.policies import parse_policy, with_budget
from search.study.progress import describe_budget
from search.study.records import Host
from search.study.replay import replay
from seresnet.epoch import EpochResult

pytestmark = [pytest.mark.ray]
NUM_ASKED = 12


@pytest.fixture(scope="module", autouse=True)
def machine():
    with session(num_cpus=3, object_store_memory=200 * 2**20):
        yield


@pytest.fixture
def config(study_config):
    """Six trials of four epochs, which nobody stops; the first are `baseline` and `plain`."""
    return parse_policy("none").applied(study_config)


def search(ledger, trainable, slots):
    run_search(trainable, Grant(1, 0, slots), Course(ledger, StopRequest(print, "")))
    return ledger


def report(config, epoch):
    host = Host(node="here", device="cpu", dtype="float32", threads=1)
    result = EpochResult(
        epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, val_accuracy_raw=0.5, lr=0.1,
        seconds=1.0, images_per_second=1.0,
    )  # fmt: skip
    ray.tune.report(EpochMessage(result, host, config["attempt"]).as_report())


def go_on(config):
    """Report the epochs that the study lacks."""
    for epoch in range(config["epochs_stored"] + 1, 5):
        report(config, epoch)


def fails_once(flag):
    """Return a trainable whose baseline fails after an epoch, when Tune has asked in vain."""

    def trainable(config):
        if config["number"]:
            return go_on(config)
        report(config, 1)
        while not flag.exists():
            time.sleep(0.02)
        ray.tune.report(Failure("exception", "boom").as_report())
        return None

    return trainable


def test_tune_waits_for_what_a_running_trial_sets_free_and_does_not_spin(config, tmp_path):
    """Eleven epochs pay for two trials of four, and for a third once one has failed."""
    ledger = Ledger.open(InMemoryStorage(), with_budget(config, max_total_epochs=11))
    flag, asked = Path(tmp_path / "asked"), []
    suggest = ledger.suggest

    def counted():
        suggestion = suggest()
        if suggestion is None:
            asked.append(time.monotonic())
            if len(asked) == NUM_ASKED:
                flag.touch()
        return suggestion

    ledger.suggest = counted
    search(ledger, fails_once(flag), slots=3)
    assert [(t.state, len(t.epochs)) for t in ledger.trials] == [
        ("FAIL", 1), ("COMPLETE", 4), ("COMPLETE", 4),
    ]  # fmt: skip
    assert ledger.num_remaining == 0
    assert "11 epochs is used: 3 trials were not begun" in describe_budget(ledger)
    # Of twelve steps of Tune's at most six had an event at once; it waits 0.1 s for others.
    assert asked[NUM_ASKED - 1] - asked[0] > 0.3


def test_trials_that_the_hours_pause_go_on_at_the_next_start(config):
    storage, seconds = InMemoryStorage(), itertools.count()
    hours = with_budget(config, num_trials=3, max_hours=5 / 3600)
    # Each question and report takes a second; two are asked for first.
    ledger = search(Ledger.open(storage, hours, clock=lambda: next(seconds)), go_on, slots=2)
    paused = [t.number for t in ledger.trials if t.is_paused]
    assert paused
    assert not any(t.is_running for t in ledger.trials)
    assert "raise study.max_hours" in describe_budget(ledger)
    ledger = search(Ledger.open(storage, with_budget(config, num_trials=3)), go_on, slots=2)
    assert [(t.state, len(t.epochs)) for t in ledger.trials] == 3 * [("COMPLETE", 4)]
    assert [ledger.trials[number].attempts for number in paused] == len(paused) * [2]
    assert replay(storage).difference == ""
