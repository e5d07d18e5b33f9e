"""Packing on a real GPU, with MPS where it can be had."""

import pytest
import torch

from search.engine.cluster import session
from search.engine.measuring import measure, training_of
from search.engine.mps import Daemon, MpsRefusedError
from search.study.dataset import Dataset

pytestmark = [
    pytest.mark.ray,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture(scope="module")
def daemon():
    """A daemon that ends after Ray."""
    with Daemon(is_local=True) as daemon, session():
        yield daemon


def test_a_gpu_is_measured_with_one_and_two_trials(daemon, study_config, tiny_split):
    load = training_of(study_config, Dataset(tiny_split, tiny_split, {}))
    one, two = (measure(load, trials, cpus=1, seconds=1.0) for trials in (1, 2))
    for row in (one, two):
        assert row.is_possible, str(row)
        assert 0 < row.memory_used < row.memory_total
    assert two.memory_used > one.memory_used


def test_two_trials_are_measured_through_mps(daemon, study_config, tiny_split):
    load = training_of(study_config, Dataset(tiny_split, tiny_split, {}))
    try:
        pipe = daemon.start()
    except MpsRefusedError as refused:
        pytest.skip(str(refused))
    row = measure(load, 2, pipe, cpus=1, seconds=1.0)
    assert row.is_mps
    assert row.is_possible, str(row)
