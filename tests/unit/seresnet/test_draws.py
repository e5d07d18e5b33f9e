"""Draws: the same for ever and everywhere, and random enough."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seresnet.draws import beta, derive_seed, permutation, uniform

CPU = torch.device("cpu")
MASK = 2**64 - 1
keys = st.integers(0, 2**63 - 1)
counters = st.integers(-(2**63), 2**63 - 1)


def splitmix(state):
    """Return (next state, output) of SplitMix64 as published."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return state, z ^ (z >> 31)


def correlation(a, b):
    return float(torch.corrcoef(torch.stack((a.flatten(), b.flatten())).double())[0, 1])


@pytest.mark.parametrize(
    ("parts", "seed"),
    [
        ((), 0),
        ((0,), 5225608189600411232),
        ((0, 0), 3617558351911305818),
        ((1, 2), 1277021547479123805),
        ((2, 1), 6691485021662334227),
        ((-1,), 8147104208329303767),
        ((2**63 - 1, 5), 5769973335906264164),
    ],
    ids=str,
)
def test_derived_seeds_never_change(parts, seed):
    assert derive_seed(*parts) == seed


def test_derived_seeds_of_a_grid_are_in_range_and_distinct():
    grid = [derive_seed(a, b) for a in range(100) for b in range(100)]
    grid += [derive_seed(a) for a in range(100)]
    assert len(set(grid)) == len(grid)
    assert 0 <= min(grid) < 2**60
    assert 2**63 - 2**60 < max(grid) < 2**63


def test_uniforms_never_change():
    rows = uniform(derive_seed(0), torch.tensor([0, 1, -5]), 3) * 2**24
    assert rows.tolist() == [
        [15738551, 1364718, 10832923],
        [14887667, 11220185, 16075191],
        [4084706, 3280058, 3343679],
    ]
    assert (uniform(2**63 - 1, torch.tensor([2**62]), 2) * 2**24).tolist() == [[10898733, 12765854]]


def test_permutations_never_change():
    assert permutation(3, 8, CPU).tolist() == [5, 2, 4, 0, 6, 3, 1, 7]
    assert permutation(3, 5, CPU).tolist() == [2, 4, 0, 3, 1]


def test_betas_never_change():
    assert beta(3, 4, 0.4) == pytest.approx(0.21242067074575216, rel=1e-12)
    assert beta(3, 5, 0.4) == pytest.approx(0.2770218800756009, rel=1e-12)


@settings(deadline=None)
@given(key=keys, counter=counters)
def test_uniform_is_the_splitmix_stream_of_the_mixed_key_and_counter(key, counter):
    _, start = splitmix(key)
    # `splitmix` adds the constant before it mixes: one step less here.
    _, state = splitmix((start + (counter - 1) * 0x9E3779B97F4A7C15) & MASK)
    expected = []
    for _ in range(3):
        state, output = splitmix(state)
        expected.append((output >> 40) / 2**24)
    assert uniform(key, torch.tensor([counter]), 3).tolist() == [expected]


@settings(deadline=None, max_examples=25)
@given(key=keys, indices=st.lists(counters, min_size=1, max_size=20), num=st.integers(1, 5))
def test_uniform_does_not_depend_on_the_batch_or_on_the_other_columns(key, indices, num):
    whole = uniform(key, torch.tensor(indices), num)
    alone = torch.cat([uniform(key, torch.tensor([index]), num) for index in indices])
    assert torch.equal(whole, alone)
    assert torch.equal(whole, uniform(key, torch.tensor(indices), num + 3)[:, :num])


def test_uniform_leaves_the_counters_alone():
    given_counters = torch.arange(5)
    uniform(1, given_counters, 2)
    assert given_counters.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("key", [0, 1, derive_seed(0, 1), 2**63 - 1])
def test_uniform_has_the_moments_of_a_uniform(key):
    draws = uniform(key, torch.arange(20_000), 8).double()
    n = draws.numel()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 1 / 2) < 4 * (1 / 12 / n) ** 0.5
    assert abs(draws.var() - 1 / 12) < 4 * (1 / 180 / n) ** 0.5


@pytest.mark.parametrize("num_bins", [16, 256])
def test_uniform_fills_equal_bins_equally_in_its_high_and_in_its_low_bits(num_bins):
    draws = (uniform(derive_seed(5), torch.arange(20_000), 8) * 2**24).long().flatten()
    expected = len(draws) / num_bins
    for bins in (draws * num_bins >> 24, draws % num_bins):
        chi_square = float((torch.bincount(bins) - expected).square().sum() / expected)
        assert abs(chi_square - (num_bins - 1)) < 4 * (2 * (num_bins - 1)) ** 0.5


def test_each_bit_is_set_half_the_time_and_changes_half_the_time_with_the_counter():
    draws = (uniform(derive_seed(6), torch.arange(20_001), 8) * 2**24).long()
    n = 20_000 * 8
    for bits in (draws[1:], draws[1:] ^ draws[:-1]):
        ones = torch.stack([(bits >> bit & 1).sum() for bit in range(24)])
        chi_square = float(((ones - n / 2) ** 2 / (n / 4)).sum())
        assert abs(chi_square - 24) < 4 * 48**0.5


def test_neighbouring_counters_columns_and_keys_are_uncorrelated():
    n = 20_000
    draws = uniform(40, torch.arange(n), 8)
    limit = 4 / (7 * n) ** 0.5
    assert abs(correlation(draws[:-1], draws[1:])) < limit
    assert abs(correlation(draws[:, :-1], draws[:, 1:])) < limit
    assert abs(correlation(draws[:-1, :-1], draws[1:, 1:])) < limit
    assert abs(correlation(draws, uniform(41, torch.arange(n), 8))) < limit


@settings(deadline=None, max_examples=25)
@given(key=keys, num=st.integers(1, 300))
def test_permutation_holds_each_position_once(key, num):
    assert permutation(key, num, CPU).sort().values.tolist() == list(range(num))


def test_each_permutation_of_three_is_equally_likely():
    orders = permutation([derive_seed(7, step) for step in range(6000)], 3, CPU)
    _, counts = (orders * torch.tensor([9, 3, 1])).sum(1).unique(return_counts=True)
    assert len(counts) == 6
    assert float((counts - 1000).square().sum() / 1000) < 20.5  # 99.9% of chi-square, 5 degrees


@settings(deadline=None, max_examples=25)
@given(several=st.lists(keys, min_size=1, max_size=5), num=st.integers(1, 200))
def test_several_keys_have_a_row_each_that_is_what_the_key_gives_alone(several, num):
    positions = torch.arange(num)
    rows, orders = uniform(several, positions, 3), permutation(several, num, CPU)
    assert (rows.shape, orders.shape) == ((len(several), num, 3), (len(several), num))
    for key, row, order in zip(several, rows, orders, strict=True):
        assert torch.equal(row, uniform(key, positions, 3))
        assert torch.equal(order, permutation(key, num, CPU))


def test_beta_is_one_when_mixup_is_off():
    assert beta(5, 3, 0.0) == 1.0


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0])
def test_beta_has_the_moments_of_its_distribution(alpha):
    draws = torch.tensor([beta(11, step, alpha) for step in range(4000)], dtype=torch.float64)
    variance = 1 / (4 * (2 * alpha + 1))
    assert 0 <= draws.min() <= draws.max() <= 1
    assert abs(draws.mean() - 0.5) < 4 * (variance / 4000) ** 0.5
    assert abs(draws.var() / variance - 1) < 0.06


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_draws_on_a_gpu_are_those_on_the_cpu():
    gpu = torch.device("cuda")
    steps = torch.arange(1000)
    assert torch.equal(uniform(3, steps.to(gpu), 13).cpu(), uniform(3, steps, 13))
    assert torch.equal(permutation(3, 50_000, gpu).cpu(), permutation(3, 50_000, CPU))
