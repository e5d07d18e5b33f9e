"""What the second half of the trials brought, beside the noise of a value."""

import dataclasses

import pytest

from fakes import CONFIG, make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.more_trials import check_more_trials


def study(*values, config=CONFIG):
    return make_snapshot([trial(n, [value] * 4) for n, value in enumerate(values)], config)


def test_trials_that_have_levelled_off_pass():
    found = check_more_trials(study(0.6, 0.601, 0.602, 0.602, 0.603, 0.603))
    assert found.status is Status.PASS
    assert (
        "no more than the noise of a value, 3.06 points (256 validation images)" in found.sentence
    )
    assert found.advice == ""


def test_trials_that_still_raise_the_best_are_a_warning_with_the_command():
    found = check_more_trials(study(0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    assert found.status is Status.WARNING
    # The best of three of these is 0.3, 0.4, 0.5, 0.6 or 0.7: in 1, 3, 6 and 10 of 20 orders.
    expected = 0.7 - (0.4 + 3 * 0.5 + 6 * 0.6 + 10 * 0.7) / 20
    assert f"raised the best by {100 * expected:.2f} points" in found.sentence
    assert found.advice == "more are likely to help: --num-trials 16 goes on with this study"


@pytest.mark.parametrize("num", [0, 1, 3])
def test_few_trials_cannot_tell(num):
    found = check_more_trials(study(*[0.5] * num))
    assert found.status is Status.WARNING
    assert "cannot tell: it takes 4" in found.sentence


def test_of_another_trainable_no_noise_is_known():
    config = dataclasses.replace(CONFIG, trainable="digits")
    found = check_more_trials(study(1.0, 7.0, 3.0, 9.0, config=config))
    assert found.status is Status.WARNING
    assert "nothing says how noisy a value is" in found.sentence
