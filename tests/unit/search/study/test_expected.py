"""What a stopped trial would have come to, read off the whole curves of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import trial
from search.study.expected import expected_final, final_values
from search.study.guard import LEAST_CURVES

HALF = 4


def curves(slope, num=5):
    """Whole curves: 0.1, 0.2, ... until half, and from there what a line of that slope says."""
    starts = [0.1 * (k + 1) for k in range(num)]
    return [[x] * HALF + [0.5 + slope * (x - 0.3)] * HALF for x in starts]


@pytest.mark.parametrize(
    ("slope", "value", "expected"),
    [
        pytest.param(1.0, 0.25, 0.45, id="all-of-a-difference-is-left"),
        pytest.param(0.5, 0.25, 0.475, id="half-of-it"),
        pytest.param(0.0, 0.10, 0.5, id="none-of-it"),
        pytest.param(-1.0, 0.25, 0.55, id="its-contrary"),
        pytest.param(1.0, 0.05, 0.3, id="no-worse-than-the-worst"),
        pytest.param(1.0, 0.90, 0.7, id="no-better-than-the-best"),
    ],
)
def test_what_is_left_of_a_difference_at_the_end_the_whole_curves_say(slope, value, expected):
    assert expected_final([value] * 2, curves(slope)) == pytest.approx(expected)


def test_a_trial_is_compared_at_the_epoch_at_which_it_was_stopped():
    whole = [[0.5, 0.1 * k, 0.1 * k] for k in range(5)]
    assert expected_final([0.9], whole) == pytest.approx(0.2)  # all were equal there
    assert expected_final([0.5, 0.3], whole) == pytest.approx(0.3)


@pytest.mark.parametrize("num", range(LEAST_CURVES))
def test_too_few_whole_curves_tell_nothing(num):
    assert expected_final([0.5], curves(1.0, num)) is None


def test_a_trial_that_was_closed_before_its_first_epoch_tells_nothing():
    assert expected_final([], curves(1.0)) is None


VALUES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=12)


@given(VALUES, st.integers(-20, 30))
def test_the_line_is_that_of_least_squares(pairs, value):
    from scipy.stats import linregress

    there, finals = zip(*pairs, strict=True)
    told = expected_final([value], list(pairs))
    if len(set(there)) > 1:
        line = linregress(there, finals)
        expected = line.intercept + line.slope * value
    else:
        expected = sum(finals) / len(finals)
    assert told == pytest.approx(min(max(expected, min(finals)), max(finals)))


def test_each_trial_with_an_end_has_a_final_value():
    whole = [trial(n, curve) for n, curve in enumerate(curves(1.0))]
    stopped = trial(5, [0.25] * 2, state="PRUNED")
    others = [
        trial(6, [0.9], state="RUNNING"),
        trial(7, [0.9], state="PRUNED", reason="budget"),
        trial(8, [0.9], state="FAIL", error_kind="diverged"),
        trial(9, [], state="FAIL", error_kind="exception"),
    ]
    found = final_values([*whole, stopped, *others])
    assert found == pytest.approx({0: 0.3, 1: 0.4, 2: 0.5, 3: 0.6, 4: 0.7, 5: 0.45})


def test_without_whole_curves_a_stopped_trial_counts_by_its_last_value():
    assert final_values([trial(0, [0.5] * 8), trial(1, [0.2, 0.3], state="PRUNED")]) == {
        0: 0.5,
        1: 0.3,
    }
    assert final_values([]) == {}
