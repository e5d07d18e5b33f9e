"""Random numbers as pure functions of integers: no state to save, the same on every device.

A number is the hash of (key, counter, column). The key is a `derive_seed` of the trial's seed and a
purpose, the counter is an image or a step; so it does not matter which batch, process or machine
asks, nor whether the run was resumed. Give each purpose its own key.

Source: the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
number generators", section 4.1); counters in place of state: Salmon et al. 2011, "Parallel random
numbers: as easy as 1, 2, 3".
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

_MASK_64 = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: keeps neighbouring inputs apart
_MULTIPLIER_1 = 0xBF58476D1CE4E5B9
_MULTIPLIER_2 = 0x94D049BB133111EB


def derive_seed(*parts: int) -> int:
    """Return a seed that depends on every part and on their order; the same for ever.

    Args:
        parts: integers in [-2**63, 2**64), for example (trial seed, purpose, epoch).

    Returns:
        A seed in [0, 2**63): one that TrainConfig, torch and NumPy all accept.
    """
    # The length goes in first, so that (a,) and (0, a) are unrelated.
    state = len(parts)
    for part in parts:
        assert -(2**63) <= part < 2**64, part
        state = _mix((state + part + _GAMMA) & _MASK_64)
    return state >> 1


def uniform(key: int | Sequence[int], counters: Tensor, num: int) -> Tensor:
    """Return uniform numbers; element (i, j) is a function of (key, counters[i], j) alone.

    Args:
        key: [0, 2**63), from `derive_seed`; of several, each has its own row in front: (keys, n,
            num).
        counters: (n,), int64, any device.
        num: columns, >= 1.

    Returns:
        (n, num), float32, multiples of 2**-24 in [0, 1), on the device of the counters.
    """
    # A float32 holds 24 bits exactly: with one bit more, numbers would round up to 1.
    top_24 = _shift_right(_bits(key, counters, num), 40)
    return top_24.float().mul_(2.0**-24)


def permutation(key: int | Sequence[int], num: int, device: torch.device) -> Tensor:
    """Return the positions 0..num - 1 in an order that depends on the key alone.

    Args:
        key: [0, 2**63), from `derive_seed`; of several, each has its own row: (keys, num).
        num: >= 1.
        device: where the result lies; it does not change the values.

    Returns:
        (num,), int64.
    """
    bits = _bits(key, torch.zeros(1, dtype=torch.int64, device=device), num)
    # Two equal keys of 64 bits are as good as impossible; a stable sort would settle them alike.
    return bits.squeeze(-2).argsort(dim=-1, stable=True)


def beta(key: int, step: int, alpha: float) -> float:
    """Return one draw of Beta(alpha, alpha): mixup's share of an image in its blend, for a step.

    Args:
        key: [0, 2**63), from `derive_seed`.
        step: any integer of 64 bits.
        alpha: >= 0; 0 returns 1.0, which is mixup turned off.
    """
    if alpha == 0:
        return 1.0
    # Beta needs rejection, so a varying count of draws: on the host, from a generator of its own.
    return random.Random(derive_seed(key, step)).betavariate(alpha, alpha)


def _bits(key: int | Sequence[int], counters: Tensor, num: int) -> Tensor:
    """Return (n, num) int64 of 64 random bits: for each counter, the SplitMix64 stream it seeds.

    Of several keys (keys, n, num).
    """
    assert counters.dtype == torch.int64, counters.dtype
    scaled = counters * _signed(_GAMMA)
    if isinstance(key, int):
        states = _mix_(scaled + _start(key))
    else:
        starts = torch.tensor([_start(each) for each in key], device=counters.device)
        states = _mix_(starts[:, None] + scaled)
    columns = torch.arange(1, num + 1, device=counters.device) * _signed(_GAMMA)
    return _mix_(states[..., None] + columns)


def _start(key: int) -> int:
    return _signed(_mix((key + _GAMMA) & _MASK_64))


def _mix(value: int) -> int:
    """Return the finaliser of SplitMix64, a bijection of [0, 2**64)."""
    value = (value ^ (value >> 30)) * _MULTIPLIER_1 & _MASK_64
    value = (value ^ (value >> 27)) * _MULTIPLIER_2 & _MASK_64
    return value ^ (value >> 31)


def _mix_(values: Tensor) -> Tensor:
    """Apply `_mix` to int64 in place and return it; the products wrap around as they should."""
    values.bitwise_xor_(_shift_right(values, 30)).mul_(_signed(_MULTIPLIER_1))
    values.bitwise_xor_(_shift_right(values, 27)).mul_(_signed(_MULTIPLIER_2))
    return values.bitwise_xor_(_shift_right(values, 31))


def _shift_right(values: Tensor, num_bits: int) -> Tensor:
    """Return a shift that brings in zeros; torch's `>>` copies the sign bit of int64 instead."""
    return (values >> num_bits).bitwise_and_((1 << (64 - num_bits)) - 1)


def _signed(value: int) -> int:
    """Return the int64 of the same 64 bits, the only form that torch accepts."""
    return value - 2**64 if value >= 2**63 else value
