"""A study derives itself again, whoever reported when and however often it was interrupted."""

import dataclasses
import random
import re
import sqlite3

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from fakes import HOST, Clock, result
from search.study import replay as replay_module
from search.study.config import loads
from search.study.errors import DamagedStudyError
from search.study.ledger import Ledger
from search.study.replay import Verdict, describe, replay
from search.study.space import StudyConfig
from search.study.storage import close_storage, sqlite_storage

CONFIG = loads(
    """\
study: {num_trials: 12, min_epochs: 1, max_epochs: 4, reduction_factor: 2, seed: 4}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
  weight_decay: {low: 1e-5, high: 1e-2, log: true}
  crop_padding: {low: 0, high: 8}
baseline: {dropout: 0.2, weight_decay: 5e-4, crop_padding: 4}
recipes:
  bare: {dropout: 0.0, weight_decay: 1e-4, crop_padding: 0}
sampler: {name: tpe, num_startup: 4}
pruner: {name: asha, rungs: fixed}
""",
    StudyConfig,
)


def play(storage, seed, *, num_workers=4, num_reports=10**6):
    """Let workers report in a random order, for so many reports; return whether all is done."""
    chance, ledger, running = random.Random(seed), Ledger.open(storage, CONFIG), []
    for _ in range(num_reports):
        while len(running) < num_workers and (suggestion := ledger.suggest()) is not None:
            running.append([suggestion, suggestion.epochs_stored])
        if not running:
            return True
        worker = chance.choice(running)
        suggestion, epoch = worker[0], worker[1] + 1
        worker[1] = epoch
        value = 0.9 - abs(suggestion.params["dropout"] - 0.1) - 0.1 / epoch
        value += chance.gauss(0, 0.02)
        each = result(epoch, value)
        if chance.random() < 0.05:
            ledger.fail(suggestion.number, kind="diverged", error="")
            running.remove(worker)
        elif not ledger.report(suggestion.number, each, HOST, attempt=suggestion.attempt):
            running.remove(worker)
    return False


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The database of a finished study, to be copied."""
    path = tmp_path_factory.mktemp("played") / "study.db"
    storage = sqlite_storage(path)
    assert play(storage, 5)
    close_storage(storage)
    return path.read_bytes()


@pytest.fixture
def played_in_part():
    storage = InMemoryStorage()
    assert not play(storage, 3, num_reports=9)
    return storage


@pytest.fixture
def edited(played, tmp_path):
    """A function that runs SQL on a copy of the study and returns what the replay says of it."""

    def edited(statement, **options):
        path = tmp_path / "study.db"
        path.write_bytes(played)
        with sqlite3.connect(path) as database:
            assert database.execute(statement).rowcount == 1
        database.close()
        storage = sqlite_storage(path)
        verdict = replay(storage, **options)
        close_storage(storage)
        return verdict.difference

    return edited


@settings(max_examples=15)
@given(seeds=st.lists(st.integers(0, 99), min_size=1, max_size=5), cut=st.integers(1, 30))
def test_every_suggestion_and_decision_is_derived_again(seeds, cut):
    storage = InMemoryStorage()
    Ledger.open(storage, CONFIG)
    for seed in seeds[:-1]:  # and here the driver is killed
        play(storage, seed, num_reports=cut)
    assert replay(storage).difference == ""
    assert play(storage, seeds[-1])
    verdict = replay(storage)
    trials = Ledger.load(storage).trials
    num_epochs = sum(len(t.epochs) for t in trials)
    assert verdict == Verdict(
        num_trials=12, num_epochs=num_epochs, num_suggestions=12, num_decisions=num_epochs
    )
    assert describe(verdict) == f"12/12 suggestions, {num_epochs}/{num_epochs} decisions identical"


@settings(max_examples=15)
@given(seeds=st.lists(st.integers(0, 99), min_size=1, max_size=3), seconds=st.integers(0, 12))
def test_when_its_time_is_up_suggestions_are_taken_over_and_decisions_still_derived(seeds, seconds):
    storage = InMemoryStorage()
    Ledger.open(storage, CONFIG)
    for seed in seeds[:-1]:
        play(storage, seed, num_reports=9)
    assert play(storage, seeds[-1])
    verdict = replay(storage, seconds=seconds, clock=Clock())  # a second each time it is looked at
    assert verdict.difference == ""
    assert (verdict.num_suggestions, verdict.num_told) == (seconds, 12 - seconds)
    assert verdict.num_decisions == verdict.num_epochs
    assert (f"; {12 - seconds} suggestions taken over" in describe(verdict)) == (seconds < 12)


def test_an_untouched_copy_is_identical_and_is_not_written_to(played, tmp_path):
    path = tmp_path / "study.db"
    path.write_bytes(played)
    storage = sqlite_storage(path)
    seen = []
    assert replay(storage, observe=lambda done, total: seen.append((done, total))).difference == ""
    close_storage(storage)
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert path.read_bytes() == played


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        pytest.param(
            "UPDATE trial_intermediate_values SET intermediate_value = intermediate_value + 1e-9 "
            "WHERE trial_id = 3 AND step = 1",
            r"t0002 epoch 1: val_accuracy 0\.\d+ was reported, the study holds 0\.\d+",
            id="value",
        ),
        pytest.param(
            "UPDATE trial_params SET param_value = param_value * 1.001 "
            "WHERE trial_id = 6 AND param_name = 'weight_decay'",
            "t0005 ask: what is stored no longer matches its event",
            id="parameter",
        ),
        pytest.param(
            "UPDATE trial_user_attributes SET value_json = replace(value_json, '0.66', '0.67') "
            "WHERE trial_id = 1 AND key = 'epoch:0003'",
            "t0000 epoch 3: what is stored no longer matches its event",
            id="loss",
        ),
        pytest.param(
            "UPDATE trial_user_attributes SET value_json = replace(value_json, 'max_', 'min_') "
            "WHERE trial_id = 1 AND key = 'end'",
            "t0000 end: what is stored no longer matches its event",
            id="end",
        ),
        pytest.param(
            "UPDATE trial_values SET value = value + 0.01 WHERE trial_id = 1",
            r"t0000 end: ended with 0\.\d+, the study holds 0\.\d+",
            id="final-value",
        ),
        pytest.param(
            "UPDATE trials SET state = 'FAIL' WHERE trial_id = 1",
            "t0000 end: ended as COMPLETE, the study holds FAIL",
            id="state",
        ),
        pytest.param(
            "UPDATE trials SET state = 'RUNNING' WHERE trial_id = 1",
            "t0000 end: ended as COMPLETE, the study holds RUNNING",
            id="state-running",
        ),
        pytest.param(
            "UPDATE trial_values SET value = 0.999 WHERE trial_id = "
            "(SELECT min(trial_id) FROM trials WHERE state = 'PRUNED')",
            r"end: ended with 0\.\d+, the study holds 0\.999",
            id="value-of-a-stopped-trial",
        ),
        pytest.param(
            "DELETE FROM trial_intermediate_values WHERE trial_id = 1 AND step = 2",
            r"event \d+ is missing: the next there is event \d+: ",
            id="epoch-gone",
        ),
    ],
)
def test_what_was_changed_afterwards_is_named(edited, statement, place):
    assert re.search(place, edited(statement))


def test_other_rules_than_those_of_the_study_are_found_out(edited):
    other = (
        "UPDATE study_user_attributes SET value_json = replace(value_json, '{}', '{}') "
        "WHERE key = 'config'"
    )
    assert "would be suggested" in edited(other.format("num_startup: 4", "num_startup: 7"))
    assert "seed" in edited(other.format("seed: 4", "seed: 5"))
    said = edited(other.format("reduction_factor: 2", "reduction_factor: 4"))
    assert "the rules say" in said
    assert said.startswith("event ")
    hurried = edited(other.format("reduction_factor: 2", "reduction_factor: 4"), seconds=-1)
    assert hurried == said
    assert edited(other.format("num_startup: 4", "num_startup: 7"), seconds=-1) == ""


def test_an_epoch_that_came_while_the_study_was_read_is_no_damage(played_in_part):
    """Optuna reads attributes first: such an epoch has its value, but not yet its metrics."""
    study = optuna.load_study(study_name="search", storage=played_in_part)
    trials = study.get_trials()
    torn = study.get_trials()
    torn[0].intermediate_values[99] = 0.5
    looks = [torn, trials]
    study.get_trials = lambda **_: looks.pop(0)
    assert replay_module._read(study) == (trials, "")


def test_a_study_without_this_programs_marks_is_called_damaged():
    with pytest.raises(DamagedStudyError, match="holds no study"):
        replay(InMemoryStorage())


def test_numbers_of_another_processor_are_called_equal_to_nine_digits():
    verdict = Verdict(num_trials=1, num_epochs=2, num_suggestions=1, num_decisions=2)
    assert "nine digits" in describe(dataclasses.replace(verdict, is_exact=False))
    assert describe(dataclasses.replace(verdict, difference="event 3: x")).endswith(
        "identical, then: event 3: x"
    )
