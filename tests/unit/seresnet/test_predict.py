import pytest
import torch
from torch import nn

from seresnet import predict as prediction
from seresnet.augment import normalise_images
from seresnet.config import TrainConfig
from seresnet.model import SEResNet
from seresnet.predict import predict
from seresnet.synthetic import make_synthetic

CONFIG = TrainConfig(std=(0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def images():
    return make_synthetic(num=10, seed=3).images


@pytest.fixture
def model():
    """A network with norms that have seen something, so that its mode makes a difference."""
    torch.manual_seed(0)
    made = SEResNet(channels=(8, 8, 16, 16)).train()
    made(torch.randn(16, 3, 32, 32) * 3 + 1)
    return made.eval()


@torch.no_grad()
def straight(model, images):
    return model(normalise_images(images, CONFIG))


def test_logits_are_those_of_one_forward_pass_on_normalised_images(model, images):
    logits = predict(model, images, config=CONFIG)
    assert logits.shape == (10, 10)
    torch.testing.assert_close(logits, straight(model, images))


def test_normalisation_is_that_of_the_settings(model, images):
    pixels = images.float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (CONFIG.mean, CONFIG.std))
    with torch.no_grad():
        expected = model((pixels - mean) / std)
    torch.testing.assert_close(predict(model, images, config=CONFIG), expected)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 11])
def test_batch_size_makes_no_difference(model, images, monkeypatch, batch_size):
    monkeypatch.setattr(prediction, "_BATCH_SIZE", batch_size)
    logits = predict(model, images, config=CONFIG, mirror=True)
    monkeypatch.setattr(prediction, "_BATCH_SIZE", 500)
    torch.testing.assert_close(logits, predict(model, images, config=CONFIG, mirror=True))


@pytest.mark.parametrize("num", [499, 501], ids=["one-less-than-a-batch", "one-more"])
def test_every_image_has_its_row_whatever_their_number(num):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    images = make_synthetic(num=num, seed=0).images
    torch.testing.assert_close(predict(model, images, config=CONFIG), straight(model, images))


def test_mirror_averages_the_logits_of_an_image_and_its_mirror_image(model, images):
    mirrored = images.flip(3)
    expected = (straight(model, images) + straight(model, mirrored)) / 2
    torch.testing.assert_close(predict(model, images, config=CONFIG, mirror=True), expected)


def test_mirror_averaging_does_not_see_whether_the_input_was_mirrored(model, images):
    both = [predict(model, x, config=CONFIG, mirror=True) for x in (images, images.flip(3))]
    torch.testing.assert_close(*both)
    plain = [predict(model, x, config=CONFIG) for x in (images, images.flip(3))]
    assert (plain[0] - plain[1]).abs().max() > 1e-4


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_model_is_left_in_its_mode_and_its_statistics_as_they_were(model, images, training):
    model.train(training)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    predict(model, images, config=CONFIG)
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_a_model_in_training_predicts_as_one_in_evaluation(model, images):
    expected = predict(model, images, config=CONFIG)
    assert torch.equal(predict(model.train(), images, config=CONFIG), expected)


def test_images_stay_bytes_and_logits_carry_no_gradient(model, images):
    before = images.clone()
    logits = predict(model, images, config=CONFIG)
    assert torch.equal(images, before)
    assert not logits.requires_grad


def test_bfloat16_gives_float32_logits_near_those_of_float32(model, images):
    exact = predict(model, images, config=CONFIG)
    logits = predict(model, images, config=CONFIG, dtype=torch.bfloat16)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, atol=0.05, rtol=0.05)
