"""TrivialAugment of a batch against torchvision's, operation by operation and as a whole."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seresnet import trivial_augment as ours
from seresnet.draws import uniform
from seresnet.synthetic import make_synthetic
from torchvision_beside_cpu import autoaugment

theirs = autoaugment()
SPACE = theirs.TrivialAugmentWide()._augmentation_space(ours.NUM_BINS)


@pytest.fixture(scope="module")
def images():
    """Drawn images, one of noise, one dark, one of two colours and one of a single one."""
    images = make_synthetic(num=12, seed=4).images
    noise = (uniform(3, torch.arange(1), 3 * 1024) * 256).to(torch.uint8).view(1, 3, 32, 32)
    two = (noise > 127).to(torch.uint8) * 60
    return torch.cat([images, noise, noise // 9, two, torch.full_like(noise, 77)])


def apply(images, name, magnitude):
    """Our operation for all images; posterising is told the bits that are dropped."""
    number = 8 - magnitude if name == "Posterize" else magnitude
    operation = torch.full((len(images),), ours.OPERATIONS.index(name))
    return ours.apply(images.float(), operation, torch.full((len(images),), float(number)))


def magnitudes(name):
    """The weakest, a middle and the strongest, with both signs where they are drawn."""
    values, is_signed = SPACE[name]
    numbers = [float(values)] if values.ndim == 0 else [float(values[k]) for k in (0, 13, 30)]
    return [*numbers, *(-number for number in numbers if is_signed)]


CASES = [
    pytest.param(name, value, id=f"{name}{value:+.3g}")
    for name in SPACE
    for value in magnitudes(name)
]


def test_operations_are_torchvisions_in_its_order():
    assert tuple(SPACE) == ours.OPERATIONS


@pytest.mark.parametrize(("name", "magnitude"), CASES)
def test_each_operation_is_torchvisions(images, name, magnitude):
    nearest = theirs.InterpolationMode.NEAREST
    expected = theirs._apply_op(images, name, magnitude, interpolation=nearest, fill=None)
    off = (apply(images, name, magnitude) - expected.float()).abs()
    moves = name.startswith(("Shear", "Rotate"))
    # A pixel half-way between two may fall to either, a product to either side of a whole number.
    assert (off > 0).float().mean() <= 0.02
    if not moves:
        assert off.max() <= 1


def test_draws_are_uniform_over_operations_bins_and_signs():
    draws, drawn = uniform(5, torch.arange(60_000), 3), {}

    def record(pixels, operation, magnitude):
        drawn.update(operation=operation, magnitude=magnitude)
        return pixels

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "apply", record)
        ours.trivial_augment(torch.zeros(60_000, 1, 1, 1), draws)
    operation, magnitude = drawn["operation"], drawn["magnitude"]
    counts = operation.bincount(minlength=14)
    assert (counts / 60_000 - 1 / 14).abs().max() < 0.005
    for index, (name, (values, is_signed)) in enumerate(SPACE.items()):
        found = magnitude[operation == index]
        if name == "Posterize":
            found, values = found.round(), 8 - values
        expected = values.float().reshape(-1)
        expected = torch.cat([expected, -expected]) if is_signed else expected
        torch.testing.assert_close(found.unique(), expected.unique(), atol=1e-4, rtol=0)
        share = (found < 0).float().mean()
        assert share == pytest.approx(0.48 if is_signed else 0, abs=0.03)


def test_an_image_alone_is_augmented_as_in_a_batch(images):
    draws = uniform(6, torch.arange(len(images)), 3)
    together = ours.trivial_augment(images / 255, draws)
    for index in range(len(images)):
        alone = ours.trivial_augment(images[index : index + 1] / 255, draws[index : index + 1])
        assert torch.equal(alone[0], together[index])
    assert ((together >= 0) & (together <= 1)).all()


class Names(TorchDispatchMode):
    """Notes the operations that reach a device."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_nothing_is_read_back_and_no_shape_depends_on_the_data(images):
    ours.trivial_augment(images / 255, uniform(7, torch.arange(len(images)), 3))  # constants
    with Names() as noted:
        ours.trivial_augment(images / 255, uniform(7, torch.arange(len(images)), 3))
    assert not noted.names & {"_local_scalar_dense", "nonzero", "bincount", "masked_select"}
