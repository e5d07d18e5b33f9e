from itertools import pairwise

import pytest

from seresnet import ema


@pytest.mark.parametrize(
    ("step", "decay", "expected"),
    [
        pytest.param(0, 0.998, 1 / 10, id="first-step"),
        pytest.param(1, 0.998, 2 / 11, id="second-step"),
        pytest.param(90, 0.998, 91 / 100, id="on-the-ramp"),
        pytest.param(4489, 0.998, 4490 / 4499, id="last-step-of-the-ramp"),
        pytest.param(4491, 0.998, 0.998, id="ramp-is-over"),
        pytest.param(10**9, 0.998, 0.998, id="much-later"),
        pytest.param(5, 0.05, 0.05, id="small-decay-needs-no-ramp"),
        pytest.param(7, 0.0, 0.0, id="zero-is-off"),
    ],
)
def test_decay_grows_with_the_step_up_to_its_setting(step, decay, expected):
    assert ema.decay_at(step, decay=decay) == pytest.approx(expected, rel=1e-12)


def test_decay_never_falls_from_one_step_to_the_next():
    decays = [ema.decay_at(step, decay=0.998) for step in range(6000)]
    assert all(left <= right for left, right in pairwise(decays))
