import pytest
from optuna.storages import InMemoryStorage

import fakes
from search.study.contest import Terms, entrants, planned, terms_of
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from seresnet.epoch import EpochResult

BASE = {"dropout": 0.2}


def trial(number, value=None, *, state="COMPLETE", params=None):
    record = TrialRecord(number=number, params=params or {"dropout": 0.01 * number}, state=state)
    if value is not None:
        numbers = {"train_loss": 1, "val_loss": 1, "lr": 0.1, "seconds": 1}
        record.epochs[1] = EpochResult(
            epoch=1, val_accuracy=value, val_accuracy_raw=0, images_per_second=1, **numbers
        )
    return record


def numbers(trials, top):
    return [record.number for record in entrants(trials, top)]


def test_the_best_complete_trials_enter_and_the_baseline_last():
    trials = [trial(0, 0.5, params=BASE), trial(1, 0.7), trial(2, 0.9, state="PRUNED")]
    trials += [trial(3, 0.6), trial(4, 0.8), trial(5, state="FAIL")]
    assert numbers(trials, 2) == [4, 1, 0]
    assert numbers(trials, 9) == [4, 1, 3, 0]


def test_a_baseline_among_the_best_enters_once_in_its_place():
    trials = [trial(0, 0.75, params=BASE), trial(1, 0.7), trial(2, 0.8)]
    assert numbers(trials, 3) == [2, 0, 1]
    assert numbers(trials, 2) == [2, 0]


def test_of_equals_the_earlier_enters_first():
    assert numbers([trial(0, 0.1, params=BASE), trial(1, 0.7), trial(2, 0.7)], 1) == [1, 0]


def test_a_configuration_that_was_tried_twice_enters_once():
    twice = {"dropout": 0.3}
    trials = [trial(0, 0.5, params=BASE), trial(1, 0.7, params=twice), trial(2, 0.8, params=twice)]
    assert numbers([*trials, trial(3, 0.6)], 2) == [2, 3, 0]


def test_the_baseline_tried_again_is_the_baseline():
    assert numbers([trial(0, 0.5, params=BASE), trial(1, 0.7, params=BASE)], 3) == [0]


@pytest.mark.parametrize("state", ["FAIL", "RUNNING"])
def test_a_baseline_without_a_value_is_still_compared_with(state):
    assert numbers([trial(0, params=BASE, state=state), trial(1, 0.7)], 3) == [1, 0]


def test_each_runs_a_whole_schedule_with_each_seed():
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
    fakes.run(ledger, 0.1, 0.2, 0.3, 0.5)
    runs = planned(ledger, Terms(top=1, seeds=(11, 12), epochs=9))
    names = ["t0001-seed11", "t0000-seed11", "t0001-seed12", "t0000-seed12"]
    assert [run.name for run in runs] == names
    assert {(run.config.epochs, run.config.seed) for run in runs} == {(9, 11), (9, 12)}
    assert [run.config.crop_padding for run in runs] == [0, 8, 0, 8]


def test_a_study_without_trials_has_nobody_to_compare():
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    assert planned(ledger, terms_of(fakes.CONFIG)) == []


def test_the_terms_are_the_study_files():
    assert terms_of(fakes.CONFIG) == Terms(top=3, seeds=(11, 12, 13), epochs=4)
