"""A study that is interrupted, however often and wherever, ends as if it never had been."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from fakes import HOST, WRITES, Killed, MortalStorage, accuracy, result
from search.study.config import loads
from search.study.ledger import Ledger
from search.study.space import StudyConfig
from search.study.storage import sqlite_storage
from seresnet.errors import ConfigError, DataError

STUDY = """\
study: {num_trials: 7, min_epochs: 1, max_epochs: 4, reduction_factor: 2, seed: 4}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
  crop_padding: {low: 0, high: 8}
baseline: {dropout: 0.2, crop_padding: 4}
recipes:
  bare: {dropout: 0.0, crop_padding: 0}
sampler: {name: tpe, num_startup: 3}
pruner: {name: asha, rungs: fixed}
"""
CONFIG = loads(STUDY, StudyConfig)


def report(ledger, suggestion, epoch):
    value = accuracy(suggestion.params, epoch)
    return ledger.report(suggestion.number, result(epoch, value), HOST, attempt=suggestion.attempt)


def play(ledger):
    """Work as one worker until nothing is left; without padding it diverges in epoch 2."""
    while (suggestion := ledger.suggest()) is not None:
        number, params = suggestion.number, suggestion.params
        epoch = max(ledger.trials[number].epochs, default=1)
        while report(ledger, suggestion, epoch):
            epoch += 1
            if params["crop_padding"] == 0:
                ledger.fail(number, kind="diverged", error=f"in epoch {epoch}")
                break
    return ledger


def outcome(ledger):
    """Return all of a study but how often a trial was handed out."""
    return [dataclasses.replace(trial, attempts=0) for trial in ledger.trials]


def with_study(**changes):
    return dataclasses.replace(CONFIG, study=dataclasses.replace(CONFIG.study, **changes))


@pytest.fixture(scope="module")
def uninterrupted():
    """What a study comes to that nothing interrupts, and the kinds of its writes in order."""
    storage = MortalStorage()
    trials = outcome(play(Ledger.open(storage, CONFIG)))
    assert {t.state for t in trials} == {"COMPLETE", "PRUNED", "FAIL"}
    return trials, storage.writes


@pytest.mark.parametrize("kind", sorted(WRITES))
def test_a_kill_before_any_write_changes_nothing(uninterrupted, kind):
    trials, writes = uninterrupted
    assert writes.count(kind) > 0
    for index in range(writes.count(kind)):
        storage = MortalStorage()
        storage.kill_before([kind], index)
        with pytest.raises(Killed):
            play(Ledger.open(storage, CONFIG))
        assert outcome(play(Ledger.open(storage, CONFIG))) == trials


@settings(max_examples=12, deadline=None)
@given(kills=st.lists(st.integers(0, 12), min_size=2, max_size=8))
def test_any_number_of_kills_changes_nothing(uninterrupted, kills):
    storage = MortalStorage()
    for index in kills:
        storage.kill_before(WRITES, index)
        try:
            play(Ledger.open(storage, CONFIG))
        except Killed:
            continue
    storage.kill_before([], 0)
    assert outcome(play(Ledger.open(storage, CONFIG))) == uninterrupted[0]


def test_a_trial_that_waits_is_asked_for_and_not_enqueued_again(uninterrupted):
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, CONFIG)
    ledger._study.enqueue_trial(dict(CONFIG.baseline))  # and here the driver is killed
    ledger = Ledger.open(storage, CONFIG)
    assert ledger.trials == []
    assert ledger.num_remaining == CONFIG.study.num_trials
    assert outcome(play(ledger)) == uninterrupted[0]


def test_a_new_ledger_after_each_step_decides_as_one_that_lives_on(uninterrupted, tmp_path):
    path = tmp_path / "study.db"
    num_trials = 4

    def reopened():
        return Ledger.open(sqlite_storage(path), with_study(num_trials=num_trials))

    while (suggestion := reopened().suggest()) is not None:
        number, epoch, goes_on = suggestion.number, 1, True
        while goes_on:
            ledger = reopened()
            assert ledger._orphans == [number]
            goes_on = report(ledger, suggestion, epoch)
            assert reopened().trials == ledger.trials
            epoch += 1
            if goes_on and suggestion.params["crop_padding"] == 0:
                reopened().fail(number, kind="diverged", error=f"in epoch {epoch}")
                goes_on = False
    assert outcome(reopened()) == uninterrupted[0][:num_trials]


def test_memory_equals_storage_at_every_step():
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, CONFIG)

    def check(*_):
        assert Ledger.load(storage).trials == ledger.trials

    ledger.observe = check
    suggestions = []
    for _ in range(CONFIG.study.num_trials):
        suggestions.append(ledger.suggest())
        check()
    for epoch in (1, 2, 3, 4):
        for suggestion in suggestions:
            if suggestion.params["crop_padding"] == 0:
                ledger.fail(suggestion.number, kind="diverged", error="")
            else:
                report(ledger, suggestion, epoch)
    assert {t.state for t in ledger.trials} == {"COMPLETE", "PRUNED", "FAIL"}


def test_an_end_that_was_decided_but_not_told_is_told_at_the_next_start():
    storage = MortalStorage()
    ledger = Ledger.open(storage, CONFIG)
    ledger.suggest()
    storage.kill_before(["set_trial_state_values"], 0)
    with pytest.raises(Killed):
        ledger.fail(0, kind="worker-died", error="the worker died")
    assert Ledger.load(storage).trials[0].state == "RUNNING"
    (record,) = Ledger.open(storage, CONFIG).trials
    assert (record.state, record.stop_reason) == ("FAIL", "worker-died")
    assert (record.error_kind, record.error) == ("worker-died", "the worker died")
    assert [t.state for t in Ledger.load(storage).trials] == ["FAIL"]


def test_a_decision_that_was_cut_off_is_made_on_what_was_known_then():
    storage = MortalStorage()
    ledger = Ledger.open(storage, with_study(num_trials=5))
    first, second, third, fourth, _ = [ledger.suggest() for _ in range(5)]
    ledger.report(third.number, result(1, 0.5), HOST, attempt=1)
    storage.kill_before(["set_trial_user_attr"], 2)  # its host, its metrics, and then its end
    with pytest.raises(Killed):
        ledger.report(fourth.number, result(1, 0.4), HOST, attempt=1)
    trials = Ledger.open(storage, with_study(num_trials=5)).trials
    assert [t.stop_reason for t in trials] == ["", "", "", "rung 1", ""]
    assert (first.number, second.number) == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("high: 0.5", "high: 0.6", r"space\.dropout\.high: 0\.5 -> 0\.6", id="space"),
        pytest.param("low: 0, high: 8", "low: 0, high: 9", r"crop_padding\.high: 8 -> 9", id="int"),
        pytest.param("dropout: 0.2", "dropout: 0.3", r"baseline\.dropout: 0\.2 -> 0\.3", id="base"),
        pytest.param("  bare:", "  raw:", r"recipes\.bare\.dropout: 0\.0 -> absent", id="recipe"),
        pytest.param("max_epochs: 4", "max_epochs: 5", r"study\.max_epochs: 4 -> 5", id="epochs"),
        pytest.param("seed: 4", "seed: 5", r"study\.seed: 4 -> 5", id="seed"),
        pytest.param("name: tpe", "name: random", r"sampler\.name: tpe -> random", id="sampler"),
        pytest.param("train: {", "train: {lr: 0.2, ", r"train\.lr: 0\.1 -> 0\.2", id="train"),
    ],
)
def test_changed_settings_are_refused_by_name(old, new, complaint):
    storage = InMemoryStorage()
    trials = outcome(play(Ledger.open(storage, with_study(num_trials=2))))
    assert old in STUDY
    with pytest.raises(ConfigError, match=complaint) as caught:
        Ledger.open(storage, loads(STUDY.replace(old, new), StudyConfig))
    assert "--name" in caught.value.hint
    assert outcome(Ledger.load(storage)) == trials
    assert Ledger.load(storage).config == with_study(num_trials=2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"study": {"num_trials": 9}}, id="more-trials"),
        pytest.param({"resources": {"cpus_per_trial": 2, "max_concurrent": 3}}, id="resources"),
        pytest.param({"retrain": {"epochs": 300, "seeds": (5,)}}, id="retrain"),
    ],
)
def test_what_leaves_the_search_as_it_was_may_change(change):
    storage = InMemoryStorage()
    before = play(Ledger.open(storage, CONFIG))
    ((section, values),) = change.items()
    changed = {section: dataclasses.replace(getattr(CONFIG, section), **values)}
    config = dataclasses.replace(CONFIG, **changed)
    ledger = Ledger.open(storage, config)
    assert (ledger.trials, ledger.id) == (before.trials, before.id)
    assert Ledger.load(storage).config == config


def test_other_images_are_refused():
    storage = InMemoryStorage()
    report = {"train_sha256": "a", "val_sha256": "b", "source": "cifar10"}
    Ledger.open(storage, CONFIG).bind_images(report)
    Ledger.open(storage, CONFIG).bind_images({**report, "source": "elsewhere"})
    for key in ("train_sha256", "val_sha256"):
        with pytest.raises(DataError, match="images are not those") as caught:
            Ledger.open(storage, CONFIG).bind_images({**report, key: "c"})
        assert "--data" in caught.value.hint
