"""Rows of a comparison: means over seeds, in a settled order, at equal budget."""

import statistics

import pytest

from fakes import CONFIG
from search.engine.comparison import compare, standard_error
from search.engine.curves import make_family
from search.engine.virtual import simulate
from search.study.policies import parse_policy, with_budget

CURVES = {name: make_family(name, CONFIG) for name in ("crossing-none", "crossing-strong")}


def rows_of(*policies, workers=(2,), seeds=3, budget=None, observe=lambda done, total: None):
    return compare(
        CONFIG,
        CURVES,
        [parse_policy(policy) for policy in policies],
        workers=workers,
        num_seeds=seeds,
        max_total_epochs=budget,
        observe=observe,
    )


def test_rows_come_by_family_policy_and_workers():
    rows = rows_of("study", "none", workers=(1, 3))
    assert [(r.curves, r.policy, r.workers) for r in rows] == [
        (curves, policy, workers)
        for curves in CURVES
        for policy in ("study", "none")
        for workers in (1, 3)
    ]


@pytest.mark.parametrize("policy", ["study", "random+none", "asha:1,4"])
def test_each_search_spends_its_budget_but_for_less_than_a_trial(policy):
    for row in rows_of(policy, policy + "+x3", budget=50)[:2]:
        budget = 150 if row.policy.endswith("x3") else 50
        assert budget - 4 < row.epochs <= budget
        assert row.complete + row.stopped == pytest.approx(row.trials)


def test_without_a_budget_of_epochs_the_trials_are_the_studys():
    usual, twice = rows_of("none", "none+x2")[:2]
    assert (usual.trials, usual.complete, usual.epochs) == (8, 8, 32)
    assert (twice.trials, twice.complete, twice.epochs) == (16, 16, 64)


def test_a_limit_of_the_studys_own_is_kept():
    limited = with_budget(CONFIG, max_total_epochs=12)
    curves = {"crossing-none": CURVES["crossing-none"]}
    policies = [parse_policy("none"), parse_policy("none+x2")]
    usual, twice = compare(limited, curves, policies, workers=[2], num_seeds=1)
    assert (usual.trials, usual.epochs) == (3, 12)
    assert (twice.trials, twice.epochs) == (6, 24)


def test_counts_are_means_and_add_up():
    for row in rows_of("study"):
        assert row.complete + row.stopped == pytest.approx(row.trials)
        assert 0 <= row.regret_of_tried <= row.regret
        assert 0 < row.utilisation <= 1


def test_progress_counts_every_search():
    seen = []
    rows_of("study", "none", observe=lambda *counts: seen.append(counts))
    assert seen == [(k, 12) for k in range(1, 13)]


def test_seeds_go_round_at_the_largest():
    last = with_budget(CONFIG, seed=2**32 - 1)
    curves = {"crossing-none": CURVES["crossing-none"]}
    (both,) = compare(last, curves, [parse_policy("study")], workers=[2], num_seeds=2)
    ends = [simulate(CONFIG, *curves.values(), workers=2, seed=s).regret for s in (2**32 - 1, 0)]
    assert both.regret == pytest.approx(statistics.mean(ends))


def test_the_standard_error_is_that_of_the_mean():
    values = [0.1, 0.4, 0.2, 0.9]
    assert standard_error(values) == pytest.approx(statistics.stdev(values) / 2)
    assert standard_error([0.3]) is None
    assert rows_of("study", seeds=1)[0].regret_error is None
