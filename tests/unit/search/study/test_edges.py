"""Where a range might end instead: wider, as far as the setting itself goes."""

import dataclasses

import pytest

from fakes import CONFIG, trial
from search.study.edges import Edge, edges_of, rules_broken_by, wider_bound
from search.study.policies import with_budget
from search.study.sections import Domain


def edge(name, domain, *, is_upper, num_there=2, num_best=3, winner=None):
    return Edge(
        name=name, domain=domain, is_upper=is_upper, num_there=num_there, num_best=num_best,
        winner=winner,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "low", "high", "is_upper", "bound"),
    [
        pytest.param("dropout", 0.0, 0.5, True, 0.75, id="half-a-range"),
        pytest.param("dropout", 0.1, 0.9, True, 0.95, id="below-one"),
        pytest.param("dropout", 0.0, 0.5, False, None, id="at-its-limit"),
        pytest.param("dropout", 0.2, 0.6, False, 0.0, id="down-to-its-limit"),
        pytest.param("dropout", 0.05, 0.5, False, 0.022, id="less-than-half"),
        pytest.param("mixup_alpha", 0.0, 1.0, True, 1.5, id="without-an-upper-limit"),
        pytest.param("mixup_alpha", 0.0, 1.0, False, None, id="mixup-off"),
        pytest.param("label_smoothing", 0.0, 0.2, False, None, id="smoothing-off"),
        pytest.param("crop_padding", 0, 5, True, 8, id="whole-numbers"),
        pytest.param("crop_padding", 1, 3, False, 0, id="whole-numbers-down"),
        pytest.param("crop_padding", 0, 32, True, None, id="whole-numbers-at-their-limit"),
        pytest.param("warmup_epochs", 0, 3, False, None, id="no-warm-up"),
        pytest.param("warmup_epochs", 0, 8, True, 10, id="shorter-than-the-schedule"),
    ],
)
def test_where_a_range_might_end(name, low, high, is_upper, bound):
    config = with_budget(CONFIG, min_epochs=11, max_epochs=11)
    found = wider_bound(config, edge(name, Domain(low=low, high=high), is_upper=is_upper))
    assert found == (None if bound is None else pytest.approx(bound))


def test_a_logarithmic_range_grows_by_a_factor():
    wide, narrow = (Domain(low=1e-5, high=high, log=True) for high in (1e-2, 4e-5))
    assert wider_bound(CONFIG, edge("weight_decay", wide, is_upper=True)) == pytest.approx(0.1)
    assert wider_bound(CONFIG, edge("weight_decay", wide, is_upper=False)) == pytest.approx(1e-6)
    assert wider_bound(CONFIG, edge("weight_decay", narrow, is_upper=True)) == pytest.approx(8e-5)


def test_of_another_trainable_no_limits_are_known():
    config = dataclasses.replace(CONFIG, trainable="digits")
    domain = Domain(low=0.0, high=0.5)
    assert wider_bound(config, edge("dropout", domain, is_upper=False)) == pytest.approx(-0.25)


def test_rules_between_settings_are_named():
    domain = Domain(low=0, high=8)
    config = dataclasses.replace(
        with_budget(CONFIG, min_epochs=9, max_epochs=24), space={"warmup_epochs": domain},
        baseline={"warmup_epochs": 4}, recipes={},
    )  # fmt: skip
    warmup = edge("warmup_epochs", domain, is_upper=True)
    assert rules_broken_by(config, warmup, 8) == []
    (rule,) = rules_broken_by(config, warmup, 12)
    assert rule.startswith("study.min_epochs: must be > 12")


@pytest.mark.parametrize(
    ("num_there", "num_best", "winner", "is_crowded"),
    [
        pytest.param(1, 3, 0.5, False, id="the-winner-alone"),
        pytest.param(2, 3, 0.5, True, id="the-winner-and-another"),
        pytest.param(2, 16, 0.5, False, id="two-of-many"),
        pytest.param(4, 16, 0.5, True, id="a-quarter-with-the-winner"),
        pytest.param(8, 16, None, False, id="half-without-the-winner"),
        pytest.param(9, 16, None, True, id="most-without-the-winner"),
    ],
)
def test_when_an_end_is_crowded(num_there, num_best, winner, is_crowded):
    domain = Domain(low=0.0, high=0.5)
    found = edge(
        "dropout", domain, is_upper=True, num_there=num_there, num_best=num_best, winner=winner
    )
    assert found.is_crowded == is_crowded


def test_both_ends_of_a_range_are_looked_at():
    values = [0.5, 0.01, 0.0, 0.2]
    trials = [
        trial(n, [0.9 - n / 100] * 4, params={"dropout": value, "crop_padding": 4})
        for n, value in enumerate(values)
    ]
    low, high = edges_of(CONFIG, trials, trials[0])
    assert (low.is_upper, low.num_there, low.winner) == (False, 2, None)
    assert (high.is_upper, high.num_there, high.winner) == (True, 1, 0.5)
    assert edges_of(CONFIG, trials[:2], trials[0]) == []
