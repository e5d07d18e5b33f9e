import dataclasses

import pytest
from optuna.storages import InMemoryStorage

import fakes
from search.study.ablation import (
    BASELINE,
    REDUCED,
    WINNER,
    Ablation,
    conclude,
    find_effects,
    reduce,
    variants,
)
from search.study.contest import Run
from search.study.ledger import Ledger
from search.study.sealed import read_sealed, write_sealed

# Noise of 0.001 around the means; dropout is worth ten points, crop padding none.
BASE = {"dropout": 0.5, "crop_padding": 8}
BEST = {"dropout": 0.1, "crop_padding": 2}


def around(mean):
    return {
        WINNER: [mean, mean + 0.001, mean + 0.002],
        BASELINE: [mean + 0.001, mean, mean + 0.002],
        "revert-dropout": [mean, mean + 0.002, mean + 0.001],
        "revert-crop_padding": [mean + 0.002, mean + 0.001, mean],
        REDUCED: [mean + 0.001, mean + 0.002, mean],
    }


def outcomes(**means):
    return {name.replace("_", "-", 1): around(mean)[name.replace("_", "-", 1)]
            for name, mean in means.items()}  # fmt: skip


ONE_MATTERS = outcomes(winner=0.9, baseline=0.8, revert_dropout=0.8, revert_crop_padding=0.9)


def test_each_difference_is_undone_by_itself():
    assert variants(BEST, BASE) == {
        WINNER: BEST,
        BASELINE: BASE,
        "revert-dropout": {"dropout": 0.5, "crop_padding": 2},
        "revert-crop_padding": {"dropout": 0.1, "crop_padding": 8},
    }


def test_what_the_winner_shares_with_the_baseline_cannot_be_undone():
    assert set(variants({**BEST, "crop_padding": 8}, BASE)) == {WINNER, BASELINE}


def test_a_setting_is_needed_if_undoing_it_is_shown_to_lose():
    first, second = find_effects(BEST, BASE, ONE_MATTERS)
    assert (first.hyperparameter, first.is_needed) == ("dropout", True)
    assert first.loss == pytest.approx(0.1)
    assert 0.09 < first.at_least < first.loss < first.at_most < 0.11
    assert (first.value, first.baseline, first.variant) == (0.1, 0.5, "revert-dropout")
    assert (second.hyperparameter, second.is_needed) == ("crop_padding", False)
    assert second.at_least < 0 < second.at_most
    recipe = reduce(BEST, BASE, [first, second])
    assert recipe == {"dropout": 0.1, "crop_padding": 8}


def test_a_setting_without_which_the_training_diverges_is_needed():
    found = {**ONE_MATTERS, "revert-crop_padding": "diverged in epoch 1"}
    effects = {each.hyperparameter: each for each in find_effects(BEST, BASE, found)}
    assert effects["crop_padding"].is_needed
    assert (effects["crop_padding"].loss, effects["crop_padding"].error) == (
        None, "diverged in epoch 1",
    )  # fmt: skip


def test_with_a_single_difference_the_baseline_is_the_winner_without_it():
    best = {**BEST, "crop_padding": 8}
    (effect,) = find_effects(best, BASE, outcomes(winner=0.9, baseline=0.8))
    assert (effect.variant, effect.is_needed) == (BASELINE, True)


@pytest.fixture
def concluded():
    """A function that concludes an ablation of a winner of two differences."""
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
    record = dataclasses.replace(ledger.trials[0], number=1, params=BEST)

    def concluded(found, epochs=4):
        effects = find_effects(BEST, BASE, found)
        config = ledger.config.trial_config(BEST, epochs=epochs, seed=11)
        return conclude(ledger, record, [Run(WINNER, 11, config)], found, effects)

    return concluded


def test_the_reduced_recipe_that_keeps_the_gain_is_told(concluded):
    found = concluded(ONE_MATTERS)  # it equals the winner without crop padding
    assert found.keeps_gain
    assert found.recipe == {"dropout": 0.1, "crop_padding": 8}
    assert (found.gain, found.kept) == (pytest.approx(0.1), pytest.approx(0.1))
    assert found.sentence == (
        "the gain stays with dropout alone: 10.00 of 10.00 points, "
        "crop_padding back at the baseline"
    )
    assert not found.is_short
    assert concluded(ONE_MATTERS, epochs=2).is_short


WHOLE = [
    pytest.param(
        outcomes(winner=0.8, baseline=0.8, revert_dropout=0.8, revert_crop_padding=0.8),
        "no gain is shown", id="no-gain",
    ),
    pytest.param(
        outcomes(winner=0.9, baseline=0.8, revert_dropout=0.85, revert_crop_padding=0.85),
        "all are needed for the gain of 10.00 points: ", id="all",
    ),
    pytest.param(
        outcomes(winner=0.9, baseline=0.8, revert_dropout=0.9, revert_crop_padding=0.9),
        "none is shown to be needed by itself, but without all", id="none",
    ),
    pytest.param(
        {**ONE_MATTERS, BASELINE: "diverged"}, "no gain can be told", id="baseline-diverged",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("found", "sentence"), WHOLE)
def test_where_nothing_smaller_keeps_the_gain_the_whole_recipe_stays(concluded, found, sentence):
    ablation = concluded(found)
    assert not ablation.keeps_gain
    assert ablation.recipe == BEST
    assert ablation.sentence.startswith(sentence)


THREE = {"dropout": 0.1, "crop_padding": 2, "mixup_alpha": 0.0}
THREE_BASE = {**BASE, "mixup_alpha": 0.4}


@pytest.mark.parametrize(
    ("last", "keeps_gain", "sentence"),
    [
        pytest.param(0.9, True, "the gain stays with dropout alone: 10.00", id="keeps"),
        pytest.param(0.85, False, "5.00 of 10.00 points stay without", id="worse-than-the-winner"),
        pytest.param(0.8, False, "0.00 of 10.00 points stay without", id="as-the-baseline"),
        pytest.param(None, False, "without mixup_alpha, crop_padding it diverges", id="diverges"),
    ],
)
def test_the_reduced_recipe_is_held_against_winner_and_baseline(last, keeps_gain, sentence):
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
    ledger.trials[0].params = THREE_BASE
    record = dataclasses.replace(ledger.trials[0], number=1, params=THREE)
    mixup = [0.9, 0.9, 0.9015]
    found = {**ONE_MATTERS, "revert-mixup_alpha": mixup}
    effects = find_effects(THREE, THREE_BASE, found)
    assert reduce(THREE, THREE_BASE, effects) == {**THREE_BASE, "dropout": 0.1}
    found[REDUCED] = "diverged" if last is None else around(last)[REDUCED]
    runs = [Run(WINNER, 11, ledger.config.trial_config(BEST, epochs=4, seed=11))]
    ablation = conclude(ledger, record, runs, found, effects)
    assert (ablation.keeps_gain, ablation.sentence.startswith(sentence)) == (keeps_gain, True)
    assert ablation.recipe == ({**THREE_BASE, "dropout": 0.1} if keeps_gain else THREE)


def test_a_record_is_read_back_equal_and_not_if_it_was_edited(concluded, tmp_path):
    path, found = tmp_path / "ablate.json", concluded(ONE_MATTERS)
    write_sealed(found, path)
    assert read_sealed(path, Ablation) == found
    path.write_text(path.read_text().replace('"keeps_gain": true', '"keeps_gain": false'))
    assert read_sealed(path, Ablation) is None
