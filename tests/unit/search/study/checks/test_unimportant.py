"""Hyperparameters that stand out from noise, and those that do not."""

import random

import pytest

from fakes import make_snapshot, trial
from search.study.ablation import Ablation
from search.study.checks.check import Status
from search.study.checks.unimportant import check_unimportant
from search.study.importance import Importance


def told(name, share, noise=0.1, *, is_above):
    return Importance(
        name=name, share=share, low=share, high=share, noise=noise, chance=0.5,
        is_above_noise=is_above,
    )  # fmt: skip


def study(num=2, **fields):
    return make_snapshot([trial(n, [0.5 + n / 100] * 4) for n in range(num)], **fields)


def drawn(num, effect):
    """Trials drawn at random, whose value depends on dropout so much, beside noise."""
    chance = random.Random(5)
    trials = []
    for number in range(num):
        params = {"dropout": chance.uniform(0, 0.5), "crop_padding": chance.randint(0, 8)}
        value = 0.5 + effect * params["dropout"] + chance.gauss(0, 0.01)
        trials.append(trial(number, [value] * 4, params=params))
    return make_snapshot(trials)


def test_where_each_matters_it_passes():
    found = [told("dropout", 0.7, is_above=True), told("crop_padding", 0.3, is_above=True)]
    check = check_unimportant(study(), found)
    assert check.status is Status.PASS
    assert "dropout (70% of the importance), crop_padding (30% of the importance)" in check.sentence
    assert check.advice == ""


def test_those_that_cannot_be_told_from_noise_are_a_warning():
    found = [told("dropout", 0.95, is_above=True), told("crop_padding", 0.05, is_above=False)]
    check = check_unimportant(study(), found)
    assert check.status is Status.WARNING
    assert check.sentence.endswith("what cannot is crop_padding")
    assert "may leave the others at the baseline" in check.advice
    assert check.advice.endswith("python -m search.ablate --study results/demo")


def test_one_that_a_surface_alone_tells_is_said_so():
    check = check_unimportant(study(), [told("dropout", 0.05, is_above=True)])
    assert "dropout (5% of the importance, and all values bend with it)" in check.sentence


def test_it_is_found_out_from_the_trials():
    real, nothing = check_unimportant(drawn(24, effect=0.2)), check_unimportant(drawn(24, effect=0))
    assert "what can be told from noise is dropout" in real.sentence
    assert nothing.sentence.startswith("24 trials tell none of ")
    assert nothing.status is Status.WARNING


@pytest.mark.parametrize("num", [0, 1, 9])
def test_few_trials_cannot_tell(num):
    check = check_unimportant(study(num))
    assert check.status is Status.WARNING
    assert "cannot tell any hyperparameter from noise: it takes 10" in check.sentence


def test_an_ablation_has_the_first_word():
    ablation = Ablation(
        study="a-study", made="", rule="", method="", error_rate=0.05, trial="t0001", seeds=(11,),
        epochs=4, search_epochs=4, runs={}, values={}, effects=[], recipe={}, gain=None, kept=None,
        keeps_gain=True, sentence="the gain stays with dropout alone", noise=None, degrees=0,
    )  # fmt: skip
    check = check_unimportant(study(ablation=ablation), [])
    assert check.status is Status.PASS
    assert check.sentence.startswith("the gain stays with dropout alone (ablation); 2 trials ")
