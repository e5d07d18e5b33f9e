"""Ranges: quantiles of equally likely cases."""

import pytest

from search.study.forecast import Range, range_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([7.0], (7, 7, 7), id="one-case"),
        pytest.param(list(range(11)), (1, 5, 9), id="at-the-cases"),
        pytest.param([10, 0], (1, 5, 9), id="between-two-in-any-order"),
        pytest.param([5, 5, 5, 5], (5, 5, 5), id="all-equal"),
        pytest.param([0, 1, 2, 30], (0.3, 1.5, 21.6), id="skewed"),
    ],
)
def test_a_range_is_the_tenth_the_half_and_nine_tenths_of_the_cases(values, expected):
    found = range_of(values)
    assert (found.low, found.middle, found.high) == pytest.approx(expected)


def test_a_range_holds_its_ends_and_can_be_multiplied():
    assert all(value in Range(1, 2, 3) for value in (1, 2.5, 3))
    assert all(value not in Range(1, 2, 3) for value in (0.99, 3.01))
    assert Range(1, 2, 3).times(2) == Range(2, 4, 6)
