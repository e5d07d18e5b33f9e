"""Settings as places in a unit cube, one of them exactly at an optimum."""

import numpy as np
import pytest

from search.engine.cube import Cube
from search.study.config import loads
from search.study.space import StudyConfig

CONFIG = loads(
    """\
study: {num_trials: 8, min_epochs: 2, max_epochs: 6}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.1, high: 0.5}
  weight_decay: {low: 1e-5, high: 1e-1, log: true}
  crop_padding: {low: 0, high: 3}
  momentum: {low: 0.9, high: 0.9}
baseline: {dropout: 0.2, weight_decay: 1e-3, crop_padding: 1, momentum: 0.9}
retrain: {epochs: 2}
""",
    StudyConfig,
)
OPTIMUM = np.array([0.25, 0.75, 0.6, 0.3])


def test_a_share_is_of_the_domain_or_of_its_logarithm():
    params = {"dropout": 0.2, "weight_decay": 1e-3, "crop_padding": 1, "momentum": 0.9}
    assert Cube(CONFIG, OPTIMUM).share(params) == pytest.approx([0.25, 0.5, 1 / 3, 0])


def test_the_best_setting_is_one_of_the_space_and_lies_at_the_optimum():
    cube = Cube(CONFIG, OPTIMUM)
    best = {"dropout": 0.2, "weight_decay": 1e-2, "crop_padding": 2, "momentum": 0.9}
    assert cube.best_params == pytest.approx(best)
    assert cube.position(cube.best_params) == pytest.approx(OPTIMUM)


def test_places_are_moved_by_no_more_than_half_a_step_of_whole_numbers():
    cube = Cube(CONFIG, OPTIMUM)
    moved = cube.position(cube.best_params) - cube.share(cube.best_params)
    assert moved[:2] == pytest.approx([0, 0], abs=1e-12)
    assert abs(moved[2]) <= 0.5 / 3
