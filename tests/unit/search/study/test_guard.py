"""What whole curves say of early stopping: how far an epoch tells the end, the safe rungs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.study.guard import (
    LEAST_CURVES,
    candidate_epochs,
    choose_rungs,
    correlation,
    interval,
    rank_correlation,
    smoothed,
)

EPOCHS = 16


def parallel(num_curves=8):
    """Curves that never cross."""
    return [[0.1 * k + 0.01 * epoch for epoch in range(EPOCHS)] for k in range(num_curves)]


def crossing(at, num_curves=8):
    """Curves whose order turns round after epoch `at`."""
    order = range(num_curves)
    return [[0.1 * (-k if epoch <= at else k) for epoch in range(1, EPOCHS + 1)] for k in order]


def choose(curves, min_epochs=2, reduction_factor=2):
    return choose_rungs(curves, min_epochs=min_epochs, reduction_factor=reduction_factor)


def test_curves_that_never_cross_allow_the_earliest_rung():
    choice = choose(parallel())
    assert choice.first_rung == 2
    assert choice.sentence == (
        "epoch 2 tells finals at r 1.00 [0.96, 1.00], ranks them at rho 1.00: "
        "first rung 2, one in 4 goes on"
    )


@pytest.mark.parametrize(
    ("swapped", "r", "factor"),
    [
        pytest.param([(0, 1)], 0.98, 6, id="all-but-certain"),
        pytest.param([(0, 3), (1, 2)], 0.76, 3, id="safe-but-not-certain"),
    ],
)
def test_twice_as_many_are_stopped_where_the_first_rung_all_but_tells_the_end(swapped, r, factor):
    curves = parallel()
    for first, second in swapped:
        curves[first][-1], curves[second][-1] = curves[second][-1], curves[first][-1]
    choice = choose(curves, reduction_factor=3)
    assert round(choice.candidates[0].r, 2) == r
    assert (choice.first_rung, choice.reduction_factor) == (2, factor)


def test_order_among_the_bad_ones_may_be_wrong_where_the_good_stand_out():
    """Ranks would not do: the worst five come in the contrary order."""
    curves = [[0.10 - 0.01 * k] * 8 + [0.10 + 0.01 * k] * 8 for k in range(5)]
    curves += [[0.5 + 0.2 * k] * 16 for k in range(3)]
    choice = choose(curves)
    first = choice.candidates[0]
    assert (first.rho < 0.53, first.r > 0.98) == (True, True)
    assert choice.first_rung == 2


def test_curves_that_cross_allow_the_first_rung_behind_the_crossing():
    choice = choose(crossing(at=7))
    assert [each.epoch for each in choice.candidates] == [2, 4, 6, 8]
    assert [round(each.r, 6) for each in choice.candidates[:3]] == [-1, -1, -1]
    assert all(each.stops_best for each in choice.candidates[:3])
    assert choice.first_rung == 8
    assert choice.sentence.endswith("; epoch 6 at r -1.00: first rung 8, one in 4 goes on")


def test_curves_that_cross_late_allow_no_rung():
    choice = choose(crossing(at=15))
    assert choice.first_rung is None
    assert choice.sentence.startswith(
        "epoch 8 tells finals at r -1.00 [-1.00, -0.96], ranks them at rho -1.00 and stops"
    )
    assert choice.sentence.endswith("nobody is stopped")


@pytest.mark.parametrize("num_curves", range(LEAST_CURVES))
def test_too_few_curves_allow_no_rung(num_curves):
    choice = choose(parallel(num_curves))
    assert (choice.first_rung, choice.candidates) == (None, ())
    assert choice.sentence == (
        f"{num_curves} whole curves are too few to judge rungs: nobody is stopped"
    )


def test_four_curves_prove_nothing_however_well_they_are_ordered():
    assert choose(parallel(4)).first_rung is None


def test_curves_that_are_all_equal_tell_nothing():
    choice = choose([[0.5] * EPOCHS] * 8)
    assert {(each.r, each.rho) for each in choice.candidates} == {(0.0, 0.0)}
    assert choice.first_rung is None


def test_a_rung_that_stops_the_later_best_is_not_safe():
    curves = parallel(12)
    curves[5][-1] = 1.3  # it wins at the end, and is in the lower half until then
    choice = choose(curves)
    assert all(each.stops_best and each.low > 0.35 for each in choice.candidates)
    assert choice.first_rung is None


def test_a_first_rung_so_late_that_nothing_is_saved_is_none():
    choice = choose(parallel(), min_epochs=9)
    assert choice.first_rung is None
    assert choice.sentence.startswith("no rung lies early enough")


@pytest.mark.parametrize(
    ("min_epochs", "max_epochs", "expected"),
    [
        pytest.param(20, 60, [20, 22, 30], id="reg"),
        pytest.param(15, 60, [15, 22, 30], id="an-eighth-itself"),
        pytest.param(1, 4, [1, 2], id="short"),
        pytest.param(1, 1, [], id="one-epoch"),
    ],
)
def test_candidates_are_the_earliest_rung_and_the_eighths_after_it(
    min_epochs, max_epochs, expected
):
    assert candidate_epochs(min_epochs=min_epochs, max_epochs=max_epochs) == expected


@pytest.mark.parametrize(
    ("first", "second", "rho"),
    [
        pytest.param([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8, id="two-exchanges"),
        # scipy.stats.spearmanr gives the same to twelve digits
        pytest.param([1, 2, 2, 3, 5], [1, 3, 2, 2, 4], 0.7631578947368421, id="ties"),
        pytest.param([1, 1, 1, 1], [1, 2, 3, 4], 0.0, id="one-side-equal"),
    ],
)
def test_the_rank_correlation_is_spearmans(first, second, rho):
    assert rank_correlation(first, second) == pytest.approx(rho, abs=1e-12)


VALUES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=12)


@given(VALUES)
def test_the_rank_correlation_is_that_of_scipy(pairs):
    from scipy.stats import spearmanr

    first, second = zip(*pairs, strict=True)
    ours = rank_correlation(first, second)
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert ours == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    else:
        assert ours == 0


@given(VALUES)
def test_the_correlation_is_that_of_scipy(pairs):
    from scipy.stats import pearsonr

    first, second = zip(*pairs, strict=True)
    expected = 0
    if len(set(first)) > 1 and len(set(second)) > 1:
        expected = pearsonr(first, second).statistic
    assert correlation(first, second) == pytest.approx(expected, abs=1e-12)


def test_the_interval_is_fishers():
    low, high = interval(0.71, 8)
    half = 1.2816 / math.sqrt(5)
    assert math.atanh(low) == pytest.approx(math.atanh(0.71) - half)
    assert math.atanh(high) == pytest.approx(math.atanh(0.71) + half)


@pytest.mark.parametrize("num_curves", [4, 8, 30])
def test_a_perfect_line_is_not_certain(num_curves):
    low, high = interval(1.0, num_curves)
    assert low < high < 1
    assert interval(-1.0, num_curves) == (-high, -low)


@pytest.mark.parametrize(
    ("epoch", "max_epochs", "mean"),
    [
        pytest.param(7, 60, 5.0, id="five-of-sixty"),
        pytest.param(7, 24, 6.5, id="two-of-24"),
        pytest.param(7, 8, 7.0, id="one-of-few"),
        pytest.param(3, 60, 2.0, id="no-more-than-there-are"),
    ],
)
def test_a_trial_is_judged_by_the_mean_over_a_twelfth_of_the_schedule(epoch, max_epochs, mean):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 99.0]
    assert smoothed(values, epoch, max_epochs=max_epochs) == mean
