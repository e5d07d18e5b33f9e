from itertools import pairwise

import pytest
import torch

from seresnet.device import place
from seresnet.model import SEResNet
from seresnet.weights import Learned, Weights, low_precision, parameters

CPU = torch.device("cpu")
CHANNELS = (8, 8, 16, 16)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return place(SEResNet(channels=CHANNELS), CPU)


@pytest.fixture
def weights(network):
    return Weights.of(network)


def test_a_network_in_a_vector_holds_and_computes_the_same(network):
    images = torch.randn(4, 3, 32, 32)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    strides = {name: tensor.stride() for name, tensor in network.state_dict().items()}
    logits = network.eval()(images)
    weights = Weights.of(network)
    for name, tensor in weights.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
        assert tensor.stride() == strides[name], name
    assert torch.equal(network(images), logits)


def test_vector_and_tensors_see_each_others_changes(weights):
    weights.values.fill_(0.5)
    assert all((tensor == 0.5).all() for tensor in weights.model.state_dict().values())
    with torch.no_grad():
        weights.model.stem[1].running_mean.fill_(2.0)
    assert (weights.values[weights.num_trained :] == 2.0).sum() == CHANNELS[0]


def test_no_two_tensors_share_a_place_and_each_begins_where_a_gpu_reads_fast(weights):
    tensors = sorted(weights.model.state_dict().values(), key=lambda t: t.storage_offset())
    assert all(t.storage_offset() % 64 == 0 for t in tensors)
    ends = [t.storage_offset() + t.numel() for t in tensors]
    assert all(end <= after.storage_offset() for end, after in zip(ends, tensors[1:], strict=False))
    assert ends[-1] <= len(weights.values)


def test_factors_come_first_then_norms_then_statistics(weights):
    multiplied, norms = parameters(weights.model)
    offsets = [tensor.storage_offset() for tensor in (*multiplied, *norms)]
    assert all(a < b for a, b in pairwise(offsets))
    assert max(t.storage_offset() for t in multiplied) < weights.num_multiplied
    assert min(t.storage_offset() for t in norms) == weights.num_multiplied
    assert min(t.storage_offset() for t in weights.model.buffers()) == weights.num_trained
    trained = sum(p.numel() for p in weights.model.parameters())
    assert sum(p.numel() for p in (*multiplied, *norms)) == trained


def test_an_average_is_a_copy_that_is_never_trained(weights):
    weights.model.train()
    average = weights.averaged()
    assert torch.equal(average.values, weights.values)
    weights.values.add_(1.0)
    assert not torch.equal(average.values, weights.values)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert not any(module.training for module in average.model.modules())
    assert weights.model.training
    assert all(parameter.requires_grad for parameter in weights.model.parameters())


def test_a_low_precision_network_shares_the_norms_and_copies_the_factors(weights):
    network, factors = low_precision(weights, torch.bfloat16)
    ours, norms = parameters(network)
    theirs, shared = parameters(weights.model)
    assert all(p.dtype == torch.bfloat16 for p in ours)
    assert all(a is b for a, b in zip(norms, shared, strict=True))
    assert network.stem[1].running_mean is weights.model.stem[1].running_mean
    with torch.no_grad():
        weights.values.mul_(3.0)
    factors.copy_(weights.values[: weights.num_multiplied])
    assert all(torch.equal(a, b.bfloat16()) for a, b in zip(ours, theirs, strict=True))
    assert all(a.stride() == b.stride() for a, b in zip(ours, theirs, strict=True))


def test_what_was_learned_is_taken_over_whole():
    torch.manual_seed(1)
    first, second = (Learned.create(CHANNELS, CPU) for _ in range(2))
    first.momentum.normal_()
    second.copy_(first)
    assert torch.equal(second.weights.values, first.weights.values)
    assert torch.equal(second.averages.values, first.averages.values)
    assert torch.equal(second.momentum, first.momentum)
    first.weights.values.zero_()
    assert second.weights.values.any()


def test_momentum_has_the_names_and_shapes_of_the_parameters():
    learned = Learned.create(CHANNELS, CPU)
    learned.momentum.copy_(learned.weights.trained)
    momentum = learned.named_momentum()
    named = dict(learned.weights.model.named_parameters())
    assert momentum.keys() == named.keys()
    assert all(torch.equal(momentum[name], named[name]) for name in named)


@pytest.mark.parametrize("part", ["weights", "averages"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_one_bad_number_shows(part, bad):
    learned = Learned.create(CHANNELS, CPU)
    assert learned.is_finite()
    getattr(learned, part).model.stages[3].bn2.running_var[2] = bad
    assert not learned.is_finite()
