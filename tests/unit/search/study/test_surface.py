"""An F test for each hyperparameter, against least squares written out by hand."""

import random

import numpy as np
import pytest
from scipy import stats

from search.study.sections import Domain
from search.study.surface import chances

SPACE = {
    "dropout": Domain(low=0.0, high=0.5),
    "weight_decay": Domain(low=1e-5, high=1e-3, log=True),
    "crop_padding": Domain(low=0, high=8),
}


def points(num, seed=1):
    chance = random.Random(seed)
    return [
        {
            "dropout": chance.uniform(0, 0.5),
            "weight_decay": 10 ** chance.uniform(-5, -3),
            "crop_padding": chance.randint(0, 8),
        }
        for _ in range(num)
    ]


def test_few_trials_take_lines_and_the_test_of_a_regression():
    at, chance = points(12), random.Random(2)
    values = [point["dropout"] + chance.gauss(0, 0.1) for point in at]
    found = chances(SPACE, at, values)
    scaled = np.array([[p["dropout"], np.log(p["weight_decay"]), p["crop_padding"]] for p in at])
    design = np.column_stack([np.ones(12), scaled])
    weights = np.linalg.solve(design.T @ design, design.T @ values)
    noise = ((values - design @ weights) ** 2).sum() / 8
    errors = np.sqrt(noise * np.diag(np.linalg.inv(design.T @ design)))
    expected = 2 * stats.t.sf(np.abs(weights / errors), 8)[1:]  # t squared is F with one number
    assert list(found.values()) == pytest.approx(expected)


def test_more_trials_take_parabolas():
    at, chance = points(40), random.Random(3)
    values = [-((p["dropout"] - 0.25) ** 2) + chance.gauss(0, 0.002) for p in at]
    found = chances(SPACE, at, values)
    assert found["dropout"] < 1e-9
    assert min(found["weight_decay"], found["crop_padding"]) > 0.01


def test_a_logarithmic_range_is_bent_by_its_logarithm():
    at, chance = points(12), random.Random(4)
    values = [np.log10(p["weight_decay"]) + chance.gauss(0, 0.05) for p in at]
    assert chances(SPACE, at, values)["weight_decay"] < 1e-6


def test_noise_alone_is_called_something_as_often_as_it_should():
    chance = random.Random(6)
    told = [
        chances(SPACE, points(16, seed), [chance.gauss(0, 1) for _ in range(16)])["dropout"]
        for seed in range(300)
    ]
    assert np.mean(np.array(told) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_where_nothing_can_be_told_apart_chance_is_certain():
    at = points(12)
    assert set(chances(SPACE, at[:7], [0.5] * 7).values()) == {1.0}  # too few
    assert set(chances(SPACE, at, [0.5] * 12).values()) == {1.0}  # all equal
    alike = [{**point, "dropout": 0.2} for point in at]
    values = [point["crop_padding"] / 8 for point in at]
    found = chances(SPACE, alike, values)
    assert found["dropout"] == 1.0  # never changed
    assert found["crop_padding"] == pytest.approx(0, abs=1e-9)  # nothing is left over
