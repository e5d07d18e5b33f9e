"""A search in virtual time: the same every time, as the ledger would decide, to the last epoch."""

import dataclasses
import itertools

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, HOST, accuracy, result
from search.engine.virtual import SLOWEST, Outcome, VirtualTrial, simulate
from search.study.ledger import Ledger
from search.study.policies import with_budget


class Known:
    """The fakes' curves, without noise."""

    best = 0.875

    def final(self, params):
        return accuracy(params, 4)

    def observed(self, params, rng):
        return [accuracy(params, epoch) for epoch in (1, 2, 3, 4)]


class Noisy(Known):
    def observed(self, params, rng):
        return [value + 0.3 * rng.normal() for value in super().observed(params, rng)]


def one_by_one(seed):
    """What a ledger comes to when each trial is at its end before the next is asked for."""
    ledger = Ledger.open(InMemoryStorage(), with_budget(CONFIG, seed=seed))
    while (suggestion := ledger.suggest()) is not None:
        for epoch in itertools.count(1):
            value = accuracy(suggestion.params, epoch)
            number, attempt = suggestion.number, suggestion.attempt
            if not ledger.report(number, result(epoch, value), HOST, attempt=attempt):
                break
    return [(t.number, t.state, len(t.epochs), t.value) for t in ledger.trials]


def seen(outcome):
    return [(t.number, t.state, t.epochs, t.value) for t in outcome.trials]


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_the_same_arguments_give_the_same_outcome(workers):
    first, again = (simulate(CONFIG, Noisy(), workers=workers, seed=5) for _ in range(2))
    assert first == again
    assert first != simulate(CONFIG, Noisy(), workers=workers, seed=6)


@pytest.mark.parametrize("seed", range(5))
def test_one_worker_does_as_asking_one_by_one(seed):
    assert seen(simulate(CONFIG, Known(), workers=1, seed=seed)) == one_by_one(seed)


def test_a_trials_noise_is_its_own_whatever_runs_beside_it():
    alone, together = (simulate(CONFIG, Noisy(), workers=w, seed=1).trials for w in (1, 2))
    for number in (0, 1):  # baseline and recipe: the same settings in both, run to their ends
        assert alone[number] == together[number]


@pytest.mark.parametrize("budget", [8, 11, 16, 23])
@pytest.mark.parametrize("workers", [1, 3, 20])
def test_a_budget_of_epochs_is_kept_and_cuts_no_trial(budget, workers):
    config = with_budget(CONFIG, num_trials=40, max_total_epochs=budget)
    outcome = simulate(config, Known(), workers=workers, seed=0)
    # Four epochs would have paid for one more trial.
    assert budget - 4 < outcome.epochs <= budget
    assert set(outcome.states) <= {"COMPLETE", "PRUNED"}


def test_what_a_stopped_trial_leaves_pays_for_another():
    """Eight trials are paid for whole; whatever is stopped at epoch 1 or 2 pays for more."""
    config = with_budget(CONFIG, num_trials=40, max_total_epochs=32)
    many = simulate(config, Known(), workers=20, seed=0)
    assert many.states["PRUNED"] > 0
    assert len(many.trials) > 8


@pytest.mark.parametrize("workers", [2, 20])
def test_a_budget_that_is_not_reached_changes_nothing(workers):
    rich, free = (
        simulate(with_budget(CONFIG, max_total_epochs=most), Known(), workers=workers, seed=0)
        for most in (999, "none")
    )
    assert rich == free


def test_a_worker_that_waits_is_idle_until_it_is_asked_again():
    config = with_budget(CONFIG, num_trials=40, max_total_epochs=16)
    many = simulate(config, Known(), workers=20, seed=0)
    busy = sum(t.epochs for t in many.trials) / (20 * many.duration)
    assert busy <= many.utilisation <= SLOWEST * busy


def test_workers_without_a_trial_are_idle():
    many = simulate(CONFIG, Known(), workers=80, seed=0)
    assert len(many.trials) == 8
    assert many.utilisation < 0.1
    assert 4 <= many.duration <= 4 * SLOWEST
    assert simulate(CONFIG, Known(), workers=1, seed=0).utilisation == 1


def test_more_workers_take_less_time():
    free = dataclasses.replace(CONFIG, pruner=dataclasses.replace(CONFIG.pruner, name="none"))
    times = [simulate(free, Known(), workers=w, seed=0).duration for w in (1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)
    assert 7 < times[0] / times[3] < 9


def test_each_epoch_is_observed_once():
    epochs = []
    outcome = simulate(CONFIG, Known(), workers=3, seed=0, observe=epochs.append)
    assert epochs == list(range(1, outcome.epochs + 1))


def trial(number, state, value, final):
    return VirtualTrial(number=number, state=state, epochs=4, value=value, final=final)


def outcome_of(*trials):
    return Outcome(best=0.9, trials=trials, duration=4.0, utilisation=1.0)


def test_regret_is_of_what_a_user_would_choose():
    lucky = outcome_of(
        trial(0, "COMPLETE", 0.70, 0.70),
        trial(1, "COMPLETE", 0.85, 0.75),
        trial(2, "COMPLETE", 0.80, 0.80),
        trial(3, "PRUNED", 0.95, 0.85),
    )
    assert lucky.chosen.number == 1
    assert lucky.regret == pytest.approx(0.15)
    assert lucky.regret_of_suggested == pytest.approx(0.05)
    assert not lucky.best_survived
    assert lucky.states == {"COMPLETE": 3, "PRUNED": 1}


def test_without_a_complete_trial_the_user_keeps_the_baseline():
    early = outcome_of(trial(0, "RUNNING", 0.2, 0.7), trial(1, "PRUNED", 0.5, 0.8))
    assert early.chosen.number == 0
    assert early.regret == pytest.approx(0.2)


def test_one_of_several_best_trials_is_enough():
    equal = outcome_of(trial(0, "PRUNED", 0.5, 0.8), trial(1, "COMPLETE", 0.8, 0.8))
    assert equal.best_survived


def test_the_pace_of_a_trial_is_between_one_and_the_slowest():
    free = dataclasses.replace(CONFIG, pruner=dataclasses.replace(CONFIG.pruner, name="none"))
    durations = [simulate(free, Known(), workers=1, seed=s).duration / 32 for s in range(5)]
    assert all(1 < each < SLOWEST for each in durations)
    assert np.mean(durations) == pytest.approx((1 + SLOWEST) / 2, abs=0.01)
