from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seresnet.schedule import lr_factor

end_factors = st.floats(0, 1)


@st.composite
def lengths(draw):
    """(warmup_epochs, epochs), as TrainConfig admits them."""
    epochs = draw(st.integers(1, 400))
    return draw(st.integers(0, epochs - 1)), epochs


def factors(warmup_epochs, epochs, end_factor=0.01):
    return [
        lr_factor(epoch, warmup_epochs=warmup_epochs, epochs=epochs, end_factor=end_factor)
        for epoch in range(epochs)
    ]


@given(lengths(), end_factors)
def test_factor_lies_between_zero_and_one(lengths, end_factor):
    assert all(0 <= factor <= 1 for factor in factors(*lengths, end_factor))


@given(lengths(), end_factors)
def test_peak_is_exactly_one_in_the_last_warmup_epoch(lengths, end_factor):
    curve = factors(*lengths, end_factor)
    assert curve[max(lengths[0] - 1, 0)] == 1


@given(lengths(), end_factors)
def test_factor_rises_in_the_warmup_and_never_after_it(lengths, end_factor):
    curve = factors(*lengths, end_factor)
    warmup, rest = curve[: lengths[0]], curve[max(lengths[0] - 1, 0) :]
    assert all(left < right for left, right in pairwise(warmup))
    assert all(left >= right for left, right in pairwise(rest))


@given(lengths(), end_factors)
def test_factor_never_falls_below_the_end_of_the_cosine(lengths, end_factor):
    curve = factors(*lengths, end_factor)[lengths[0] :]
    assert all(factor >= end_factor for factor in curve)


def test_warmup_is_linear_and_starts_above_zero():
    assert factors(4, 10)[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])


@pytest.mark.parametrize(
    ("warmup_epochs", "epochs"), [(0, 8), (1, 9), (15, 23)], ids=["none", "one", "seed"]
)
def test_cosine_is_half_way_down_in_the_middle_of_what_the_warmup_left(warmup_epochs, epochs):
    curve = factors(warmup_epochs, epochs, end_factor=0.2)
    assert curve[warmup_epochs] == 1
    assert curve[warmup_epochs + 4] == pytest.approx(0.6)
    assert curve[warmup_epochs + 2] == pytest.approx(0.6 + 0.4 * 0.5**0.5)


def test_last_epoch_is_one_step_short_of_the_end():
    curve = factors(0, 100, end_factor=0.0)
    assert curve[-1] == pytest.approx(2.467e-4, rel=1e-3)  # (1 - cos(pi / 100)) / 2


def test_an_end_factor_of_one_is_a_constant_rate_after_the_warmup():
    assert factors(2, 6, end_factor=1.0) == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
