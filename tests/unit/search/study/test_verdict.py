import math

import pytest
from bench_confirmation import World, claims
from scipy import stats

from search.study.verdict import ERROR_RATE, compare, dunnett, image_error, judge

# By hand: means 0.52, 0.55, 0.52, of seeds 0.51, 0.53, 0.55, of all 0.53. What configuration and
# seed leave is 0 but for +-0.01 twice: 4e-4 in squares over 2 x 2 degrees of freedom, so 0.01.
VALUES = {
    "t0000": [0.50, 0.52, 0.54],
    "t0004": [0.53, 0.54, 0.58],
    "t0002": [0.50, 0.53, 0.53],
}
TABLE_1A = {
    (1, 6): 1.94, (2, 6): 2.34, (3, 6): 2.56, (4, 6): 2.71, (2, 5): 2.44, (3, 5): 2.68,
    (3, 10): 2.34, (9, 6): 3.12, (3, 20): 2.19,
}  # fmt: skip
NUM_STUDIES = 1000


@pytest.mark.parametrize(("place", "expected"), TABLE_1A.items(), ids=str)
def test_critical_values_are_those_of_dunnetts_table(place, expected):
    assert dunnett(*place) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("degrees", [1, 2, 6, 1000])
def test_beside_a_single_configuration_the_critical_value_is_students(degrees):
    assert dunnett(1, degrees) == pytest.approx(stats.t.ppf(0.95, degrees), rel=1e-4)


def test_the_comparison_is_what_a_hand_computes():
    found = compare(VALUES, "t0000")
    assert found.means == pytest.approx({"t0000": 0.52, "t0004": 0.55, "t0002": 0.52})
    assert found.degrees == 4
    assert found.noise == pytest.approx(0.01)
    assert found.critical == dunnett(2, 4)
    assert found.margin == pytest.approx(dunnett(2, 4) * 0.01 * math.sqrt(2 / 3))
    assert found.difference("t0004") == pytest.approx(0.03)
    assert found.is_above("t0004")
    assert not found.is_above("t0002")
    assert not found.is_below("t0002")


def test_what_is_worse_is_shown_to_be_worse():
    assert compare(VALUES, "t0004").is_below("t0002")


def test_luck_of_a_seed_that_all_share_changes_no_difference():
    moved = {name: [a + 0.2, b - 0.1, c] for name, (a, b, c) in VALUES.items()}
    before, after = compare(VALUES, "t0000"), compare(moved, "t0000")
    assert after.margin == pytest.approx(before.margin)
    assert after.difference("t0004") == pytest.approx(before.difference("t0004"))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"t0000": [0.5, 0.6, 0.7]}, id="alone"),
        pytest.param({"t0000": [0.5, 0.6], "t0001": [0.6, 0.7]}, id="no-noise"),
    ],
)
def test_where_noise_cannot_be_told_nothing_is_shown(values):
    found = compare(values, "t0000")
    assert (found.noise, found.critical, found.margin) == (None, None, None)
    verdict = judge(found, list(values), 2)
    assert not verdict.is_better
    assert "not shown to be better" in verdict.sentence


def test_the_images_add_the_error_of_two_proportions():
    assert image_error(0.9, 0.5, 100) == pytest.approx(math.sqrt(0.0034))


def test_the_winner_that_is_above_the_margin_is_shown_to_be_better():
    verdict = judge(compare(VALUES, "t0000"), ["t0002", "t0004", "t0000"], 3)
    assert (verdict.winner, verdict.is_better) == ("t0004", True)
    margin = compare(VALUES, "t0000").margin
    assert verdict.sentence == (
        "t0004 is shown to be better than the baseline: by 3.00 points in the mean of 3 seeds, "
        f"by at least {3 - 100 * margin:.2f} (95% sure, 2 compared at once)"
    )


def test_the_winner_within_the_margin_is_not_shown_to_be_better():
    values = {**VALUES, "t0004": [0.51, 0.51, 0.56]}
    verdict = judge(compare(values, "t0000"), ["t0002", "t0004", "t0000"], 3)
    assert (verdict.winner, verdict.is_better) == ("t0004", False)
    assert verdict.sentence.startswith(
        "t0004 is not shown to be better than the baseline: by 0.67 points in the mean of 3 seeds, "
        "and it takes more than "
    )


def test_where_the_baseline_wins_nothing_is_shown_to_be_better():
    values = {"t0000": [0.60, 0.62, 0.64], "t0001": [0.50, 0.53, 0.54]}
    verdict = judge(compare(values, "t0000"), ["t0001", "t0000"], 3)
    assert (verdict.winner, verdict.is_better) == ("t0000", False)
    assert verdict.sentence == (
        "not shown to be better: the baseline is the highest in the mean of 3 seeds, "
        "9.67 points above t0001, the next"
    )


@pytest.mark.parametrize("order", [["t0001", "t0000"], ["t0000", "t0001"]])
def test_of_equals_the_better_in_the_search_wins(order):
    values = {"t0000": [0.60, 0.62], "t0001": [0.62, 0.60]}
    assert judge(compare(values, "t0000"), order, 2).winner == order[0]


MOST = int(stats.binom.ppf(0.99, NUM_STUDIES, ERROR_RATE))  # 67: luck of 1,000 studies


@pytest.mark.parametrize("seed_effect", [0, 10], ids=["equal-seeds", "unequal-seeds"])
def test_false_verdicts_are_no_more_than_stated(seed_effect):
    assert 20 < claims(World(seed_effect=seed_effect), NUM_STUDIES) <= MOST


def test_bounds_for_one_comparison_alone_would_break_the_stated_rate(monkeypatch):
    def alone(num, degrees):
        return stats.t.ppf(1 - ERROR_RATE, degrees)

    monkeypatch.setattr("search.study.verdict.dunnett", alone)
    assert claims(World(), NUM_STUDIES) > MOST


def test_a_real_difference_is_found():
    assert claims(World(gain=4, seed_effect=10), NUM_STUDIES) > 0.9 * NUM_STUDIES
