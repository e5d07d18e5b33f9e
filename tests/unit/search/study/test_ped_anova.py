"""The numbers are those of Optuna's own evaluator."""

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage

from search.study.ped_anova import Grid, best_of_all, divergence
from search.study.sections import Domain

KINDS = {
    "linear": (Domain(low=0.0, high=0.5), False),
    "log": (Domain(low=1e-5, high=5e-3, log=True), False),
    "few": (Domain(low=0, high=8), True),
    "many": (Domain(low=1, high=400), True),
    "log-whole": (Domain(low=1, high=400, log=True), True),
}


# None lies on the border between two steps of the grid, where rounding alone says which it is.
SHARES = st.integers(0, 10**6).map(lambda k: (k + 0.37) / (10**6 + 1))


def value_at(domain, is_integer, share):
    value = domain.low * (domain.high / domain.low) ** share if domain.log else (
        domain.low + (domain.high - domain.low) * share
    )  # fmt: skip
    return round(value) if is_integer else min(max(value, domain.low), domain.high)


@settings(max_examples=20)
@given(
    shares=st.lists(st.tuples(*[SHARES] * len(KINDS)), min_size=10, max_size=40),
    seed=st.integers(0, 9),
)
def test_it_says_what_optuna_says(shares, seed):
    kinds = list(KINDS.items())
    points = [
        {name: value_at(*kind, share) for (name, kind), share in zip(kinds, row, strict=True)}
        for row in shares
    ]
    ranks = np.random.default_rng(seed).permutation(len(points)).astype(float)
    distributions = {
        name: IntDistribution(int(d.low), int(d.high), log=d.log)
        if is_integer
        else FloatDistribution(d.low, d.high, log=d.log)
        for name, (d, is_integer) in kinds
    }
    study = optuna.create_study(storage=InMemoryStorage(), direction="maximize")
    for point, rank in zip(points, ranks, strict=True):
        study.add_trial(
            optuna.trial.create_trial(params=point, distributions=distributions, value=rank)
        )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.2)
    expected = evaluator.evaluate(study)
    num_best = int(np.ceil(0.2 * len(points)))
    best, every = best_of_all(ranks, num_best), np.arange(len(points))
    for name, (domain, is_integer) in kinds:
        grid = Grid(domain, [point[name] for point in points], is_integer=is_integer)
        found = divergence(grid.density(best), grid.density(every))
        assert found * (num_best / len(points)) ** 2 == pytest.approx(expected[name], rel=1e-6)


def test_a_trial_may_be_there_twice():
    grid = Grid(Domain(low=0.0, high=1.0), [0.1, 0.5, 0.9], is_integer=False)
    twin = Grid(Domain(low=0.0, high=1.0), [0.1, 0.1, 0.9], is_integer=False)
    assert grid.density(np.array([0, 0, 2])) == pytest.approx(twin.density(np.arange(3)))


def test_the_best_are_all_that_equal_the_last_of_them():
    ranks = np.array([3.0, 1.0, 3.0, 2.0, 2.0])
    assert best_of_all(ranks, 2).tolist() == [0, 2]
    assert best_of_all(ranks, 3).tolist() == [0, 2, 3, 4]


def test_equal_densities_do_not_diverge():
    grid = Grid(Domain(low=0, high=8), [1, 4, 7, 7], is_integer=True)
    every = grid.density(np.arange(4))
    assert divergence(every, every) == 0
    assert divergence(grid.density(np.array([0])), every) > 0
