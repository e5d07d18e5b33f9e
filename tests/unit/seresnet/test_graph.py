"""What a CUDA graph would repeat, repeated eagerly: the same numbers as without it."""

from dataclasses import fields, replace

import pytest
import torch

from seresnet import graph
from seresnet import train as training
from seresnet.config import TrainConfig
from seresnet.graph import shared_stepper
from seresnet.plan import SETTINGS
from seresnet.synthetic import make_synthetic
from seresnet.train import DivergedError, TrainState, train

CPU = torch.device("cpu")


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=3, warmup_epochs=1, batch_size=32, dropout=0.2)


@pytest.fixture
def data():
    return make_synthetic(num=80, seed=2)  # 32, 32 and 16 to a step


class Recorder:
    """Captures as a GPU does: takes the step some times first, and repeats it when told to."""

    def __init__(self):
        self.num_captured = 0

    def __call__(self, rewind, step):
        self.num_captured += 1
        for _ in range(3):
            rewind()
            step()
        return step


@pytest.fixture
def recorder(monkeypatch):
    """Let training on the CPU go through a shared stepper, as training on a GPU does."""
    recorder = Recorder()
    monkeypatch.setattr(graph, "_shared", {})

    def stepper(state, data):
        return shared_stepper(
            state.config, device=CPU, dtype=state.dtype, data=data, capture=recorder
        )

    monkeypatch.setattr(training, "_stepper", stepper)
    return recorder


def trained(config, data):
    state = TrainState.create(config, CPU)
    results = [replace(r, seconds=0, images_per_second=0) for r in train(state, data, data)]
    return state, results


def assert_equal(left, right):
    assert left[1] == right[1]
    for ours, theirs in (
        (left[0].learned.weights, right[0].learned.weights),
        (left[0].learned.averages, right[0].learned.averages),
    ):
        assert torch.equal(ours.values, theirs.values)
    assert torch.equal(left[0].learned.momentum, right[0].learned.momentum)


def test_runs_through_one_captured_step_equal_runs_on_their_own(config, data, request):
    others = [
        config,
        replace(config, seed=3, dropout=0.0, weight_decay=0.01, label_smoothing=0.2, lr=0.03),
        replace(config, mixup_alpha=0.0, warmup_epochs=0, momentum=0.5, ema_decay=0.9, epochs=2),
    ]
    alone = [trained(each, data) for each in others]
    recorder = request.getfixturevalue("recorder")
    shared = [trained(each, data) for each in others]
    assert recorder.num_captured == 2  # a whole batch and the one left over, once for all runs
    for left, right in zip(alone, shared, strict=True):
        assert_equal(left, right)


def test_runs_with_all_extras_share_a_captured_step_too(config, data, request):
    config = replace(
        config, nesterov=True, decay_norms=False, alternating_flip=True, trivial_augment=True,
        cutmix_probability=0.5,
    )  # fmt: skip
    others = [config, replace(config, seed=3, weight_decay=0.01, alternating_flip=False)]
    alone = [trained(each, data) for each in others]
    recorder = request.getfixturevalue("recorder")
    shared = [trained(each, data) for each in others]
    assert recorder.num_captured == 2
    for left, right in zip(alone, shared, strict=True):
        assert_equal(left, right)


def test_runs_that_take_turns_at_one_captured_step_do_not_mix(config, data, request):
    first, second = config, replace(config, seed=9, dropout=0.4)
    alone = [trained(each, data) for each in (first, second)]
    request.getfixturevalue("recorder")
    states = [TrainState.create(each, CPU) for each in (first, second)]
    for _ in zip(*(train(state, data, data) for state in states), strict=True):
        pass
    for (expected, _), state in zip(alone, states, strict=True):
        assert torch.equal(state.learned.weights.values, expected.learned.weights.values)


def test_another_shape_is_captured_anew_and_the_old_one_let_go(config, data, recorder):
    trained(config, data)
    trained(replace(config, cutout_size=8), data)
    assert recorder.num_captured == 4
    assert len(graph._shared) == 1


def test_other_images_are_captured_anew(config, data, recorder):
    trained(config, data)
    trained(config, make_synthetic(num=80, seed=3))
    assert recorder.num_captured == 4


def test_a_run_that_diverges_leaves_the_step_to_the_next_one(config, data, request):
    good = trained(config, data)
    recorder = request.getfixturevalue("recorder")
    with pytest.raises(DivergedError, match="diverged in epoch 1: loss not finite at step 2 of 3"):
        trained(replace(config, lr=1e30), data)
    assert_equal(trained(config, data), good)
    assert recorder.num_captured == 2


def test_settings_of_the_tables_are_fields():
    assert set(SETTINGS) < {field.name for field in fields(TrainConfig)}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_cuda_graph_gives_the_losses_of_the_eager_step(config, data):
    from seresnet.resident import resident
    from seresnet.step import Stepper

    config, gpu = replace(config, precision="fp32"), torch.device("cuda")
    captured = TrainState.create(config, gpu)
    results = list(train(captured, data, None))
    eager = TrainState.create(config, gpu)
    stepper = Stepper(config, dtype=torch.float32, learned=eager.learned, data=resident(data, gpu))
    for result in results:
        stepper.begin(config, result.epoch - 1)
        for size in stepper.plan.sizes:
            stepper.step(size)
        assert stepper.loss_sum() / len(data) == pytest.approx(result.train_loss, rel=1e-3)
