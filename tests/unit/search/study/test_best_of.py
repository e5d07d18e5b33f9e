"""The expected best of k trials, against all orders counted by hand."""

from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study.best_of import expected_best, gain_of_second_half


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=7))
def test_it_is_the_mean_over_all_ways_to_draw_k_of_them(values):
    found = expected_best(values)
    counted = [
        fmean(max(drawn) for drawn in combinations(values, k)) for k in range(1, len(values) + 1)
    ]
    assert found == pytest.approx(counted, abs=1e-9)


def test_it_begins_at_the_mean_and_ends_at_the_best():
    found = expected_best([0.2, 0.9, 0.4, 0.5])
    assert found[0] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.9)
    assert found == sorted(found)


def test_a_thousand_values_lose_no_precision():
    found = expected_best([number / 1000 for number in range(1, 1001)])
    # The largest of k of 1, ..., n without replacement is k (n + 1) / (k + 1) on average.
    assert found == pytest.approx([k * 1.001 / (k + 1) for k in range(1, 1001)])


def test_its_interval_is_seeded_and_is_nothing_where_all_are_alike():
    first, again = (gain_of_second_half([0.1, 0.5, 0.9], seed=3) for _ in range(2))
    assert first == again
    assert first.low <= first.high
    alike = gain_of_second_half([0.3, 0.3])
    assert (alike.expected, alike.low, alike.high) == pytest.approx((0, 0, 0))


def test_the_second_half_gains_what_lies_between_half_and_all():
    values = [0.1, 0.4, 0.5, 0.8]
    found, curve = gain_of_second_half(values), expected_best(values)
    assert found.expected == pytest.approx(curve[3] - curve[1])
    assert 0 <= found.low <= found.high
    assert gain_of_second_half([0.5] * 4).high == pytest.approx(0)
