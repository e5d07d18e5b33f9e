from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study.rungs import is_stopped, rung_epochs

FACTORS = st.integers(2, 8)
VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("min_epochs", "max_epochs", "factor", "expected"),
    [
        pytest.param(20, 60, 2, [20, 40, 60], id="last-rung-is-nearer"),
        pytest.param(1, 81, 3, [1, 3, 9, 27, 81], id="whole-power"),
        pytest.param(5, 5, 2, [5], id="one-rung"),
        pytest.param(1, 1000, 10, [1, 10, 100, 1000], id="where-a-logarithm-is-off-by-one"),
        pytest.param(3, 4, 8, [3, 4], id="factor-beyond-the-budget"),
    ],
)
def test_rungs_multiply_up_to_max_epochs(min_epochs, max_epochs, factor, expected):
    rungs = rung_epochs(min_epochs=min_epochs, max_epochs=max_epochs, reduction_factor=factor)
    assert rungs == expected


@given(st.integers(1, 500), st.integers(0, 5000), FACTORS)
def test_rungs_rise_strictly_from_min_to_max(min_epochs, extra, factor):
    max_epochs = min_epochs + extra
    rungs = rung_epochs(min_epochs=min_epochs, max_epochs=max_epochs, reduction_factor=factor)
    assert all(type(rung) is int for rung in rungs)
    assert rungs[0] == min_epochs
    assert rungs[-1] == max_epochs
    assert all(low < high <= factor * low for low, high in pairwise(rungs))


@pytest.mark.parametrize(
    ("value", "values", "factor", "expected"),
    [
        pytest.param(0.1, [0.1], 2, False, id="the-first-goes-on"),
        pytest.param(0.1, [0.1, 0.9, 0.8], 4, False, id="too-few-to-judge"),
        pytest.param(0.1, [0.1, 0.9], 2, True, id="second-of-two"),
        pytest.param(0.5, [0.5, 0.9, 0.1], 2, True, id="n-is-rounded-down"),
        pytest.param(0.5, [0.5, 0.9, 0.1, 0.2], 2, False, id="second-of-four"),
        pytest.param(0.9, [0.9, 0.9, 0.9, 0.9], 4, False, id="a-tie-is-in-its-favour"),
    ],
)
def test_a_trial_goes_on_among_the_best(value, values, factor, expected):
    assert is_stopped(value, values, reduction_factor=factor) is expected


@given(VALUES, FACTORS)
def test_the_best_is_never_stopped(values, factor):
    assert not is_stopped(max(values), values, reduction_factor=factor)


@given(VALUES, FACTORS)
def test_a_better_value_never_fares_worse(values, factor):
    fates = [is_stopped(v, values, reduction_factor=factor) for v in sorted(values)]
    assert fates == sorted(fates, reverse=True)


@given(VALUES, FACTORS)
def test_at_least_the_best_share_goes_on_and_only_ties_join_it(values, factor):
    survivors = [v for v in values if not is_stopped(v, values, reduction_factor=factor)]
    if len(values) < factor:
        assert survivors == values
    else:
        share = len(values) // factor
        last = sorted(values, reverse=True)[share - 1]
        assert sorted(survivors) == sorted(v for v in values if v >= last)


@given(st.lists(st.floats(0, 1), min_size=1), FACTORS, st.randoms())
def test_the_order_of_arrival_does_not_matter(values, factor, random):
    shuffled = random.sample(values, len(values))
    stopped = is_stopped(values[0], values, reduction_factor=factor)
    assert stopped == is_stopped(values[0], shuffled, reduction_factor=factor)
