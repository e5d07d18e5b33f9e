"""The noise of a value: from fresh runs, else from the number of images."""

import dataclasses
from types import SimpleNamespace

import pytest

from fakes import CONFIG, make_snapshot, trial
from search.study.checks.noise import noise_of

TRIALS = [trial(0, [0.8] * 4)]


def test_without_a_confirmation_it_is_that_of_the_images():
    found = noise_of(make_snapshot(TRIALS))
    assert found.size == pytest.approx((0.8 * 0.2 / 256) ** 0.5)
    assert found.text == "2.50 points (256 validation images)"


def test_the_confirmation_has_measured_it():
    found = noise_of(make_snapshot(TRIALS, confirmation=SimpleNamespace(noise=0.003)))
    assert found.text == "0.30 points (runs of the confirmation)"


def test_a_confirmation_without_noise_says_nothing_of_it():
    found = noise_of(make_snapshot(TRIALS, confirmation=SimpleNamespace(noise=None)))
    assert found.source == "256 validation images"


@pytest.mark.parametrize(
    "snapshot",
    [
        make_snapshot(),
        make_snapshot(TRIALS, dataclasses.replace(CONFIG, trainable="digits")),
        make_snapshot([trial(0, [1.0] * 4)]),
    ],
    ids=["empty", "another-trainable", "all-right"],
)
def test_where_nothing_says_it_there_is_none(snapshot):
    assert noise_of(snapshot) is None
