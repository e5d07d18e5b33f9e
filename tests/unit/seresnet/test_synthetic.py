import numpy as np
import pytest
import torch

from seresnet import synthetic
from seresnet.synthetic import (
    NUM_LABELLED,
    NUM_TEST,
    SHAPE_NAMES,
    load_synthetic,
    make_synthetic,
)


def test_images_are_bytes_of_cifar_shape():
    split = make_synthetic(num=50, seed=0)
    assert split.images.shape == (50, 3, 32, 32)
    assert split.images.dtype == torch.uint8
    assert split.labels.dtype == torch.int64


@pytest.mark.parametrize("num", [1, 10, 256, 1003])
def test_classes_are_balanced(num):
    counts = make_synthetic(num=num, seed=0).labels.bincount(minlength=10)
    assert counts.sum() == num
    assert counts.max() - counts.min() <= 1


def test_labels_come_in_random_order():
    labels = make_synthetic(num=100, seed=0).labels
    assert labels.tolist() != sorted(labels.tolist())


def test_same_seed_gives_the_same_images():
    first, second = (make_synthetic(num=600, seed=5) for _ in range(2))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)


def test_another_seed_gives_other_images():
    first, second = (make_synthetic(num=20, seed=seed) for seed in range(2))
    assert not torch.equal(first.images, second.images)


def test_embedded_set_has_two_parts_without_a_common_image():
    labelled, test = load_synthetic()
    assert (len(labelled), len(test)) == (NUM_LABELLED, NUM_TEST)
    assert labelled.labels.bincount().tolist() == [NUM_LABELLED // 10] * 10
    assert test.labels.bincount().tolist() == [NUM_TEST // 10] * 10
    rows = torch.cat([labelled.images, test.images]).flatten(1).numpy()
    assert len({row.tobytes() for row in rows}) == NUM_LABELLED + NUM_TEST


def test_brightness_and_colour_do_not_tell_the_class():
    """Classifies by channel means alone, with the nearest class mean: little above chance."""
    split = make_synthetic(num=2000, seed=0)
    means = split.images.float().mean((2, 3))
    centres = torch.stack([means[split.labels == label].mean(0) for label in range(10)])
    guesses = torch.cdist(means, centres).argmin(1)
    assert (guesses == split.labels).float().mean() < 0.3


def test_figures_fill_their_masks():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 20)
    masks = synthetic._mask(labels, rng)
    assert masks.min() >= 0
    assert masks.max() <= 1
    for label in range(10):
        assert 0.03 < masks[labels == label].mean() < 0.5


def test_small_network_learns_the_classes():
    """Three convolutions, four epochs: far above chance, on mirror images too, below certainty."""
    torch.manual_seed(0)
    train, test = make_synthetic(num=2000, seed=0), make_synthetic(num=500, seed=1)
    network = torch.nn.Sequential(
        *convolution(3, 16), *convolution(16, 32), *convolution(32, 32),
        torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(4):
        for index in torch.randperm(len(train)).split(50):
            loss = torch.nn.functional.cross_entropy(
                network(train.images[index] / 255 - 0.5), train.labels[index]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    for images in (test.images, test.images.flip(3)):
        accuracy = (network(images / 255 - 0.5).argmax(1) == test.labels).float().mean()
        assert 0.35 < accuracy < 0.99


def convolution(num_in, num_out):
    return (
        torch.nn.Conv2d(num_in, num_out, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(num_out),
        torch.nn.ReLU(),
    )


def test_each_class_is_called_as_its_shape_is():
    assert [shape.__name__ for shape in synthetic._SHAPES] == [f"_{name}" for name in SHAPE_NAMES]
