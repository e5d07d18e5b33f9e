from dataclasses import replace

import pytest
import torch

from seresnet.data import Split
from seresnet.synthetic import make_synthetic
from seresnet.train import DivergedError, TrainState, train

CPU = torch.device("cpu")


def run(config, train_data, val_data):
    state = TrainState.create(config, CPU)
    return state, list(train(state, train_data, val_data))


def test_one_epoch_yields_finite_plain_numbers_and_moves_every_weight(tiny_config, tiny_split):
    state = TrainState.create(tiny_config, CPU)
    before = {name: p.clone() for name, p in state.model.named_parameters()}
    (result,) = train(state, tiny_split, tiny_split)
    assert result.epoch == 1
    assert 1.0 < result.train_loss < 5.0
    assert result.lr == pytest.approx(0.1)
    assert 0 <= result.val_accuracy <= 1
    assert type(result.val_accuracy) is float
    assert result.images_per_second > 0
    unmoved = [n for n, p in state.model.named_parameters() if torch.equal(p, before[n])]
    assert unmoved == []


def test_same_seed_gives_the_same_weights_and_another_seed_others(tiny_config, tiny_split):
    first, _ = run(tiny_config, tiny_split, None)
    second, _ = run(tiny_config, tiny_split, None)
    third, _ = run(replace(tiny_config, seed=1), tiny_split, None)
    weights = [list(s.average.state_dict().values()) for s in (first, second, third)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not torch.equal(weights[0][0], weights[2][0])


def test_global_random_state_is_neither_read_nor_moved(tiny_config, tiny_split):
    torch.manual_seed(1)
    first, _ = run(tiny_config, tiny_split, None)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second, _ = run(tiny_config, tiny_split, None)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.model.classifier.weight, second.model.classifier.weight)


@pytest.mark.parametrize("poison", ["weights", "images"])
def test_training_stops_at_the_first_loss_that_is_not_finite(tiny_config, tiny_split, poison):
    config = replace(tiny_config, epochs=3, lr=1e30 if poison == "weights" else 0.1)
    state = TrainState.create(config, CPU)
    if poison == "images":
        with torch.no_grad():
            state.model.classifier.weight.fill_(float("nan"))
    with pytest.raises(
        DivergedError, match=r"diverged in epoch 1: loss not finite at step [12] of 2"
    ):
        list(train(state, tiny_split, tiny_split))
    assert state.history == []


def test_a_batch_left_over_at_the_end_of_an_epoch_is_trained_on(tiny_config):
    data = make_synthetic(num=130, seed=0)
    _, results = run(replace(tiny_config, dropout=0.0), data, None)
    assert results[0].val_accuracy is None


def test_averaged_weights_without_decay_are_the_raw_ones(tiny_config, tiny_split):
    state, (result,) = run(replace(tiny_config, ema_decay=0.0), tiny_split, tiny_split)
    assert result.val_accuracy == result.val_accuracy_raw
    assert torch.equal(state.average.classifier.weight, state.model.classifier.weight)


def test_training_leaves_the_images_as_they_were(tiny_config, tiny_split):
    copy = Split(tiny_split.images.clone(), tiny_split.labels.clone())
    run(tiny_config, tiny_split, tiny_split)
    assert torch.equal(copy.images, tiny_split.images)
    assert torch.equal(copy.labels, tiny_split.labels)


@pytest.mark.slow
def test_a_narrow_network_learns_the_synthetic_images(tiny_config):
    config = replace(
        tiny_config,
        epochs=6,
        channels=(8, 16, 32, 64),
        batch_size=64,
        ema_decay=0.9,
        mixup_alpha=0.0,
    )
    _, results = run(config, make_synthetic(num=2000, seed=0), make_synthetic(num=500, seed=1))
    assert results[-1].val_accuracy > 0.3
    assert results[-1].train_loss < results[0].train_loss
