"""The winner's curve: rising to its end, or past its best."""

import pytest

from fakes import make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.overfitting import check_overfitting

RISING = [0.5 + epoch / 100 for epoch in range(12)]
PEAK = [0.5, 0.55, 0.6, 0.65, 0.7, 0.7, 0.68, 0.66, 0.64, 0.62, 0.6, 0.6]
FLAT = [0.5, 0.55, 0.6, 0.65, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.695, 0.695]
FALLING = [2.0 - epoch / 10 for epoch in range(12)]
TURNING = [2.0, 1.8, 1.6, 1.4, 1.2, 1.1, 1.1, 1.2, 1.2, 1.3, 1.3, 1.4]


def judged(curve, losses=None):
    return check_overfitting(make_snapshot([trial(0, curve, losses=losses)]))


def test_a_curve_that_rises_to_its_end_passes():
    found = judged(RISING, FALLING)
    assert found.status is Status.PASS
    assert found.sentence.endswith(
        "is at its highest at the end, its validation loss at its lowest"
    )


def test_a_curve_that_falls_by_more_than_noise_is_a_warning_with_its_epoch():
    found = judged(PEAK)
    assert found.status is Status.WARNING
    assert "ends 10.00 points below the 70.00% of epoch 5" in found.sentence
    assert found.advice.startswith("train for about 5 epochs")


def test_a_loss_that_rises_while_accuracy_falls_a_little_is_a_warning():
    found = judged(FLAT, TURNING)
    assert found.status is Status.WARNING
    assert "validation loss ends 27.3% above its lowest, of epoch 6" in found.sentence


def test_a_loss_that_rises_while_accuracy_holds_is_told_and_passes():
    found = judged(RISING, TURNING)
    assert found.status is Status.PASS
    assert "27.3% above its lowest" in found.sentence


def test_a_small_fall_alone_passes():
    assert judged(FLAT, FALLING).status is Status.PASS


@pytest.mark.parametrize(
    "trials",
    [[], [trial(0, RISING, state="RUNNING")], [trial(0, [0.5, 0.6])]],
    ids=["empty", "running", "short"],
)
def test_without_a_long_curve_it_cannot_tell(trials):
    found = check_overfitting(make_snapshot(trials))
    assert found.status is Status.WARNING
    assert "which it takes to tell" in found.sentence
