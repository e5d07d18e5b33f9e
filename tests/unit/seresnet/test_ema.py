from itertools import pairwise

import pytest
import torch
from torch import nn

from seresnet import ema
from seresnet.model import SEResNet


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SEResNet(channels=(8, 8, 16, 16))


def shake(model, seed):
    """Give every weight and statistic another value, as a training step would."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand(tensor.shape, generator=generator))
        else:
            tensor.add_(seed)


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("step", "decay", "expected"),
    [
        pytest.param(0, 0.998, 1 / 10, id="first-step"),
        pytest.param(1, 0.998, 2 / 11, id="second-step"),
        pytest.param(90, 0.998, 91 / 100, id="on-the-ramp"),
        pytest.param(4489, 0.998, 4490 / 4499, id="last-step-of-the-ramp"),
        pytest.param(4491, 0.998, 0.998, id="ramp-is-over"),
        pytest.param(10**9, 0.998, 0.998, id="much-later"),
        pytest.param(5, 0.05, 0.05, id="small-decay-needs-no-ramp"),
        pytest.param(7, 0.0, 0.0, id="zero-is-off"),
    ],
)
def test_decay_grows_with_the_step_up_to_its_setting(step, decay, expected):
    assert ema.decay_at(step, decay=decay) == pytest.approx(expected, rel=1e-12)


def test_decay_never_falls_from_one_step_to_the_next():
    decays = [ema.decay_at(step, decay=0.998) for step in range(6000)]
    assert all(left <= right for left, right in pairwise(decays))


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.998])
def test_update_moves_every_weight_and_statistic_by_the_formula(model, decay):
    average = ema.averaged_copy(model)
    before = snapshot(average)
    shake(model, seed=3)
    ema.update(average, model, decay=decay)
    for name, theirs in model.state_dict().items():
        if theirs.is_floating_point():
            expected = decay * before[name] + (1 - decay) * theirs
            torch.testing.assert_close(average.state_dict()[name], expected, msg=name)


def test_statistics_of_the_norms_are_averaged_and_their_counters_copied(model):
    average = ema.averaged_copy(model)
    norm = model.stem[1]
    norm.running_mean.fill_(4.0)
    norm.running_var.fill_(3.0)
    norm.num_batches_tracked.fill_(7)
    ema.update(average, model, decay=0.75)
    assert average.stem[1].running_mean.tolist() == [1.0] * 8  # 0.75 * 0 + 0.25 * 4
    assert average.stem[1].running_var.tolist() == [1.5] * 8  # 0.75 * 1 + 0.25 * 3
    assert average.stem[1].num_batches_tracked.item() == 7


def test_repeated_updates_weigh_the_past_geometrically():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = ema.averaged_copy(model)
    model.weight.data.fill_(1.0)
    for _ in range(10):
        ema.update(average, model, decay=0.9)
    assert average.weight.item() == pytest.approx(1 - 0.9**10, rel=1e-5)


def test_decay_zero_copies_the_model_exactly(model):
    average = ema.averaged_copy(model)
    shake(model, seed=1)
    ema.update(average, model, decay=0.0)
    assert all(
        torch.equal(tensor, average.state_dict()[name])
        for name, tensor in model.state_dict().items()
    )


def test_update_leaves_the_model_as_it_was(model):
    average = ema.averaged_copy(model)
    shake(model, seed=2)
    before = snapshot(model)
    ema.update(average, model, decay=0.5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_average_is_a_copy_that_is_never_trained(model):
    model.train()
    average = ema.averaged_copy(model)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert not any(module.training for module in average.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.training
    before = snapshot(average)
    shake(model, seed=1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in average.state_dict().items())
