"""Shares as Optuna has them, their uncertainty, and what noise alone would do."""

import dataclasses
import random

import optuna
import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, trial
from search.study.importance import LEAST_TRIALS, importances, judged
from search.study.samplers import distributions
from search.study.sections import Domain


def drawn(num, effect, seed=0):
    """Trials drawn at random, whose value depends on dropout so much, beside noise."""
    chance = random.Random(seed)
    trials = []
    for number in range(num):
        params = {"dropout": chance.uniform(0, 0.5), "crop_padding": chance.randint(0, 8)}
        value = 0.5 + effect * params["dropout"] + chance.gauss(0, 0.01)
        trials.append(trial(number, [value] * 4, params=params))
    return trials


def test_shares_are_those_of_optunas_own_importances():
    trials = drawn(60, 0.2)
    study = optuna.create_study(storage=InMemoryStorage(), direction="maximize")
    for each in trials:
        made = optuna.trial.create_trial(
            params=each.params, distributions=distributions(CONFIG), value=each.value
        )
        study.add_trial(made)
    expected = optuna.importance.get_param_importances(study)  # a tenth of 60 is over five
    found = importances(CONFIG, trials)
    assert {each.name: each.share for each in found} == pytest.approx(expected)


def test_what_matters_stands_out_and_what_does_not_stays_below():
    matters, other = importances(CONFIG, drawn(60, 0.2))
    assert (matters.name, matters.is_above_noise) == ("dropout", True)
    assert matters.share > matters.noise
    assert matters.verdict == "above noise"
    assert (other.name, other.is_above_noise) == ("crop_padding", False)
    assert other.verdict == "not told from noise"
    for each in (matters, other):
        assert 0 <= each.low <= each.share <= each.high <= 1


def test_noise_is_called_noise():
    told = [importances(CONFIG, drawn(14, 0, seed)) for seed in range(4)]
    assert sum(any(each.is_above_noise for each in found) for found in told) <= 1


def test_what_a_model_has_settled_on_is_still_told_by_the_surface():
    chance = random.Random(1)
    trials = drawn(8, 0.2)
    for number in range(8, 40):  # near the best, as a model would suggest
        params = {"dropout": chance.uniform(0.45, 0.5), "crop_padding": chance.randint(0, 8)}
        value = 0.5 + 0.2 * params["dropout"] + chance.gauss(0, 0.01)
        trials.append(trial(number, [value] * 4, params=params))
    found = {each.name: each for each in importances(CONFIG, trials)}
    assert found["dropout"].share < found["dropout"].noise
    assert found["dropout"].is_above_noise
    assert "by a surface through all trials (p 0.0001)" in found["dropout"].verdict
    assert not found["crop_padding"].is_above_noise


def test_a_stopped_trial_counts_as_worse_than_complete_ones():
    trials = drawn(40, 0.2)
    for each in trials:
        if each.params["dropout"] < 0.25:
            stopped = trial(each.number, [0.9, 0.9], state="PRUNED", params=each.params)
            trials[each.number] = stopped
    assert len(judged(trials)) == 40
    assert importances(CONFIG, trials)[0].name == "dropout"


def test_the_same_seed_gives_the_same():
    trials = drawn(12, 0.1)
    assert importances(CONFIG, trials, seed=3) == importances(CONFIG, trials, seed=3)


def test_failed_running_and_waiting_trials_are_not_asked():
    trials = drawn(LEAST_TRIALS, 0.1)
    trials[3] = trial(3, [0.5], state="FAIL", error_kind="diverged")
    assert importances(CONFIG, trials) == []
    trials[3] = trial(3, [0.5], state="RUNNING")
    assert importances(CONFIG, trials) == []
    trials[3] = trial(3, [0.5], state="PRUNED", reason="budget")
    assert importances(CONFIG, trials) == []


def test_a_fixed_setting_has_no_importance():
    space = {**CONFIG.space, "dropout": Domain(low=0.5, high=0.5)}
    config = dataclasses.replace(CONFIG, space=space)
    trials = [dataclasses.replace(t, params={**t.params, "dropout": 0.5}) for t in drawn(12, 0)]
    assert [each.name for each in importances(config, trials)] == ["crop_padding"]
