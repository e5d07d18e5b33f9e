"""K trainings in one program against the same ones alone: equal, so that only speed decides."""

from dataclasses import replace

import pytest
import torch
from fused import FusedStepper

from seresnet.device import place
from seresnet.model import SEResNet
from seresnet.step import Stepper
from seresnet.synthetic import make_synthetic
from seresnet.weights import Learned, Weights

SIZES = [16, 16, 8]


@pytest.fixture
def data():
    return make_synthetic(num=40, seed=2)


@pytest.fixture
def configs(tiny_config):
    """Four trainings that differ in all that a search varies."""
    first = replace(tiny_config, batch_size=16, epochs=3, warmup_epochs=1, seed=1)
    return [
        first,
        replace(first, seed=2, dropout=0.0, label_smoothing=0.2, weight_decay=0.01, lr=0.03),
        replace(first, seed=3, mixup_alpha=0.0, warmup_epochs=0, momentum=0.5, ema_decay=0.9),
        replace(first, seed=4, mixup_alpha=1.0, weight_decay=0.0, epochs=2),
    ]


def new(config):
    """What a training has learned before it begins, in float64."""
    torch.manual_seed(config.seed)
    network = place(SEResNet(channels=config.channels).double(), torch.device("cpu"))
    weights = Weights.of(network)
    return Learned(weights, weights.averaged(), torch.zeros_like(weights.trained))


def alone(config, data, epochs):
    """Train by itself; return what was learned and the last epoch's sum of losses."""
    learned = new(config)
    stepper = Stepper(config, dtype=torch.float64, learned=learned, data=data)
    for epoch in epochs:
        stepper.begin(config, epoch)
        for size in stepper.plan.sizes:
            stepper.step(size)
    return learned, stepper.loss_sum()


def run(fused):
    for size in SIZES:
        fused.step(size)


def assert_slot_equals(fused, slot, expected, loss_sum):
    blank = expected.weights.averaged(), expected.averages.averaged()
    learned = Learned(*blank, torch.zeros_like(expected.momentum))
    fused.store(slot, learned)
    close = {"rtol": 1e-10, "atol": 1e-12}
    torch.testing.assert_close(learned.weights.values, expected.weights.values, **close)
    torch.testing.assert_close(learned.averages.values, expected.averages.values, **close)
    torch.testing.assert_close(learned.momentum, expected.momentum, **close)
    # A single stepper keeps its sum of losses in float32.
    assert fused.loss_sums_K[slot].item() == pytest.approx(loss_sum, rel=1e-6)


def test_fused_trainings_equal_the_same_trainings_alone(configs, data):
    three = configs[:3]
    fused = FusedStepper(three[0], [new(each) for each in three], dtype=torch.float64, data=data)
    for epoch in range(2):
        for slot, config in enumerate(three):
            fused.begin(slot, config, epoch)
        run(fused)
    for slot, config in enumerate(three):
        assert_slot_equals(fused, slot, *alone(config, data, range(2)))


def test_a_slot_that_is_free_takes_up_another_training_beside_one_that_goes_on(configs, data):
    stays, stopped, comes = configs[0], configs[1], configs[3]
    fused = FusedStepper(stays, [new(stays), new(stopped)], dtype=torch.float64, data=data)
    fused.begin(0, stays, 0)
    fused.begin(1, stopped, 0)
    run(fused)
    fused.load(1, new(comes))
    fused.begin(0, stays, 1)
    fused.begin(1, comes, 0)
    run(fused)
    assert_slot_equals(fused, 0, *alone(stays, data, range(2)))
    assert_slot_equals(fused, 1, *alone(comes, data, range(1)))
