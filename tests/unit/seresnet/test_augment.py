"""Augmentations: each against torchvision's, exactly for given values and in distribution."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from seresnet import augment as ops
from seresnet.config import TrainConfig
from seresnet.draws import uniform
from torchvision_beside_cpu import load

OPERATIONS = ("brightness", "contrast", "saturation", "hue")
PLAIN = TrainConfig(
    brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, crop_padding=0, flip_probability=0.0,
    cutout_size=0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def transforms():
    """torchvision's transforms."""
    return load("torchvision.transforms")


@pytest.fixture(autouse=True)
def torch_seed():
    """torchvision draws from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def draw(num, key=1):
    return uniform(key, torch.arange(num), ops.NUM_DRAWS)


def random_bytes(num, key=2, size=32):
    pixels = uniform(key, torch.arange(num), 3 * size * size) * 256
    return pixels.to(torch.uint8).reshape(num, 3, size, size)


def jitter(images, *, order=OPERATIONS, has_hue=True, **values):
    """color_jitter with factors of 1 and no shift where no value is given, numbers for tensors."""
    n = len(images)
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    tensors = {f"{k}_N": torch.full((n,), v) for k, v in (neutral | values).items()}
    if not has_hue:
        tensors["hue_N"] = None
    # From an order to sort keys: the position of each operation in it.
    keys = torch.tensor([order.index(name) for name in OPERATIONS])
    return ops.color_jitter(images, order_N4=keys.expand(n, 4), **tensors)


def grid_of_colors():
    """All colours of five levels, in one image: greys, primaries, ties of two channels."""
    levels = torch.linspace(0, 1, 5)
    return torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 5, 25)


def chi_square(counts):
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


def assert_same_distribution(ours_NK, theirs_NK):
    """Compare each column of two samples of equal size: mean, standard deviation, Kolmogorov."""
    a, b = ours_NK.double(), theirs_NK.double()
    n = len(a)
    variance = (a.var(0) + b.var(0)) / 2 + 1e-12
    assert ((a.mean(0) - b.mean(0)).abs() < 4 * (2 * variance / n).sqrt() + 1e-6).all()
    assert (a.std(0) / b.std(0) - 1).abs().max() < 0.15
    a, b = (x.T.contiguous().sort(dim=1).values for x in (a, b))
    points = torch.cat((a, b), dim=1)
    gap = torch.searchsorted(a, points) - torch.searchsorted(b, points)
    assert gap.abs().max() / n < 2.2 * (2 / n) ** 0.5  # exceeded once in 10,000


@pytest.mark.parametrize("has_hue", [True, False], ids=["with hue", "without hue"])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4, 2.0])
@pytest.mark.parametrize("name", OPERATIONS[:3])
def test_one_affine_operation_equals_torchvision(transforms, name, factor, has_hue):
    images = torch.cat((random_bytes(4, size=25)[:, :, :5] / 255, grid_of_colors()))
    theirs = getattr(transforms.functional, f"adjust_{name}")(images, factor)
    ours = jitter(images, has_hue=has_hue, **{name: factor})
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [-0.5, -0.31, -0.05, 0.0, 0.02, 1 / 6, 0.5])
def test_hue_equals_torchvision(transforms, shift):
    images = torch.cat((random_bytes(4, size=25)[:, :, :5] / 255, grid_of_colors()))
    theirs = transforms.functional.adjust_hue(images, shift)
    torch.testing.assert_close(jitter(images, hue=shift), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("order", list(itertools.permutations(OPERATIONS)), ids="-".join)
def test_each_order_equals_torchvision_where_nothing_is_clamped(transforms, order):
    images = 0.3 + 0.3 * random_bytes(3, size=8) / 255
    values = {"brightness": 1.2, "contrast": 0.7, "saturation": 1.3, "hue": 0.15}
    theirs = images
    for name in order:
        theirs = getattr(transforms.functional, f"adjust_{name}")(theirs, values[name])
    ours = jitter(images, order=order, **values)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_augment_draws_colours_like_torchvision(transforms):
    n = 1500
    images = (60 + 0.4 * random_bytes(1, size=8).float()).to(torch.uint8).expand(n, 3, 8, 8)
    config = replace(PLAIN, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05)
    reference = transforms.ColorJitter(0.2, 0.2, 0.2, 0.05)
    theirs = torch.stack([reference(image / 255) for image in images])
    ours = ops.augment(images, draw(n), config)
    assert_same_distribution(ours.flatten(1), theirs.flatten(1))
    assert_same_distribution(ours.std((2, 3)), theirs.std((2, 3)))


def test_crop_equals_torchvision(transforms):
    images = random_bytes(81) / 255
    offsets = torch.cartesian_prod(torch.arange(9), torch.arange(9))
    ours = ops.random_crop(images, offsets_N2=offsets, padding=4)
    padded = transforms.functional.pad(images, 4)
    for image, window, (top, left) in zip(ours, padded, offsets.tolist(), strict=True):
        assert torch.equal(image, transforms.functional.crop(window, top, left, 32, 32))


def test_augment_crops_and_flips_like_torchvision(transforms):
    n, image = 2000, random_bytes(1)
    config = replace(PLAIN, crop_padding=4, flip_probability=0.5)
    reference = transforms.Compose(
        [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    )
    theirs = torch.stack([reference(image[0] / 255) for _ in range(n)])
    ours = ops.augment(image.expand(n, 3, 32, 32), draw(n, key=3), config)
    assert len({tuple(x.tolist()) for x in ours[:, 0, 16, 12:20]}) == 2 * 81
    assert_same_distribution(ours[:, :, ::5, ::5].flatten(1), theirs[:, :, ::5, ::5].flatten(1))


def test_every_crop_offset_and_every_cutout_centre_is_equally_likely():
    white, draws = torch.full((3000, 3, 32, 32), 255, dtype=torch.uint8), draw(3000, key=4)
    rows = ops.augment(white, draws, replace(PLAIN, crop_padding=4))[:, 0, :, 16].int()
    num_black_above, num_black_below = rows.argmax(1), rows.flip(1).argmax(1)
    offsets = 4 + num_black_below - num_black_above
    assert chi_square(torch.bincount(offsets, minlength=9)) < 26.1  # 99.9%, 8 degrees of freedom
    holes = ops.augment(white, draws, replace(PLAIN, cutout_size=2))[:, 0] == 0
    centre_rows = 31 - holes.any(2).int().flip(1).argmax(1)  # the hole's last row
    assert chi_square(torch.bincount(centre_rows, minlength=32)) < 61.1  # likewise, 31 degrees


@pytest.mark.parametrize("padding", range(33))
def test_the_largest_draw_is_the_last_crop_offset(padding):
    image, draws = random_bytes(1), torch.full((1, ops.NUM_DRAWS), 1 - 2**-24)
    expected = torch.zeros(1, 3, 32, 32)
    expected[:, :, : 32 - padding, : 32 - padding] = image[:, :, padding:, padding:] / 255
    assert torch.equal(ops.augment(image, draws, replace(PLAIN, crop_padding=padding)), expected)


def test_normalise_equals_torchvision(transforms):
    images = random_bytes(3)
    config = TrainConfig(std=(0.35, 0.3, 0.25))
    theirs = transforms.functional.normalize(images / 255, config.mean, config.std)
    assert torch.equal(ops.normalise(images / 255, config.mean, config.std), theirs)
    assert torch.equal(ops.normalise_images(images, config), theirs)


@settings(deadline=None, max_examples=50)
@given(row=st.integers(0, 31), column=st.integers(0, 31), half=st.integers(0, 16))
def test_cutout_hole_is_the_square_clipped_at_the_border(row, column, half):
    ones = torch.ones(1, 3, 32, 32)
    expected = ones.clone()
    rows, columns = (slice(max(0, x - half), x + half) for x in (row, column))
    expected[:, :, rows, columns] = 0
    centres = torch.tensor([[row, column]])
    assert torch.equal(ops.cutout(ones, centres_N2=centres, size=2 * half), expected)
    assert torch.equal(ops.cutout(ones, centres_N2=centres, size=2 * half + 1), expected)


@settings(deadline=None, max_examples=25)
@given(num=st.integers(1, 5), padding=st.integers(0, 8), side=st.integers(1, 32))
def test_crop_keeps_the_shape_and_only_pixels_of_the_image(num, padding, side):
    images = random_bytes(num, size=side).float() + 1
    offsets = (draw(num)[:, :2] * (2 * padding + 1)).long()
    cropped = ops.random_crop(images, offsets_N2=offsets, padding=padding)
    assert cropped.shape == images.shape
    assert set(cropped.flatten().tolist()) <= {0.0, *images.flatten().tolist()}


@settings(deadline=None, max_examples=25)
@given(flips=st.lists(st.booleans(), min_size=1, max_size=6))
def test_flip_equals_torchvision_and_twice_is_no_flip(transforms, flips):
    images, flip = random_bytes(len(flips), size=7), torch.tensor(flips)
    once = ops.random_flip(images, flip_N=flip)
    for ours, image, is_flipped in zip(once, images, flips, strict=True):
        assert torch.equal(ours, transforms.functional.hflip(image) if is_flipped else image)
    assert torch.equal(ops.random_flip(once, flip_N=flip), images)


@settings(deadline=None, max_examples=25)
@example(partners=[4, 3, 2, 1, 0], lam=1.0)
@given(partners=st.permutations(range(5)), lam=st.floats(0, 1, width=32))
def test_mixup_blends_with_the_partner_and_is_the_identity_at_one(partners, lam):
    images, partners = random_bytes(5, size=4) / 255 - 0.5, torch.tensor(partners)
    expected = lam * images + (1 - lam) * images[partners]
    ours = ops.mixup(images, partners_N=partners, lam=lam)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    assert torch.equal(ops.mixup(images, partners_N=partners, lam=torch.tensor(lam)), ours)
    assert lam < 1 or torch.equal(ours, images)


def test_augment_is_its_parts_in_the_recipes_order():
    images, draws, config = random_bytes(16), draw(16), TrainConfig()
    factors = 0.8 + 0.4 * draws.T
    expected = ops.color_jitter(
        images / 255,
        brightness_N=factors[0],
        contrast_N=factors[1],
        saturation_N=factors[2],
        hue_N=0.1 * draws[:, 3] - 0.05,
        order_N4=draws[:, 4:8],
    )
    expected = ops.random_crop(expected, offsets_N2=(draws[:, 8:10] * 9).long(), padding=4)
    expected = ops.random_flip(expected, flip_N=draws[:, 10] < 0.5)
    expected = ops.normalise(expected, config.mean, config.std)
    expected = ops.cutout(expected, centres_N2=(draws[:, 11:13] * 32).long(), size=16)
    torch.testing.assert_close(ops.augment(images, draws, config), expected)


def test_augment_does_not_depend_on_the_batch():
    images, draws, config = random_bytes(16), draw(16), TrainConfig()
    whole = ops.augment(images, draws, config)
    for i in range(3):
        part = ops.augment(images[i::3], draws[i::3], config)
        torch.testing.assert_close(part, whole[i::3], rtol=0, atol=1e-5)


def test_nothing_is_written_to_the_input():
    images, draws = random_bytes(4), draw(4)
    copies = images.clone(), draws.clone()
    ops.augment(images, draws, TrainConfig())
    pixels, kept = images / 255, images / 255
    jitter(pixels, brightness=1.3)
    ops.normalise(pixels, (0.5,) * 3, (0.5,) * 3)
    ops.cutout(pixels, centres_N2=torch.full((4, 2), 9), size=8)
    ops.random_flip(pixels, flip_N=torch.ones(4, dtype=torch.bool))
    ops.random_crop(pixels, offsets_N2=torch.zeros(4, 2, dtype=torch.int64), padding=0)
    ops.mixup(pixels, partners_N=torch.arange(4).flip(0), lam=0.3)
    assert torch.equal(images, copies[0])
    assert torch.equal(draws, copies[1])
    assert torch.equal(pixels, kept)


def test_augment_reads_no_value_back_to_the_host():
    # Tensors on the device "meta" have shapes and no values: whoever asks for one fails.
    images, draws = random_bytes(4).to("meta"), draw(4).to("meta")
    assert ops.augment(images, draws, TrainConfig()).shape == (4, 3, 32, 32)


class KernelCount(TorchDispatchMode):
    """Counts dispatched operations that are no views."""

    num = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.num += not func.is_view
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("hue", "limit"), [(0.05, 80), (0.0, 40)])
def test_augment_takes_few_operations(hue, limit):
    images, draws, config = random_bytes(4), draw(4), TrainConfig(hue=hue)
    ops.augment(images, draws, config)
    with KernelCount() as count:
        ops.augment(images, draws, config)
    assert count.num <= limit


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_augment_in_a_cuda_graph_gives_the_values_of_the_cpu():
    images, draws, config = random_bytes(128), draw(128), TrainConfig()
    expected = ops.augment(images, draws, config)
    images, draws, graph = images.cuda(), draws.cuda(), torch.cuda.CUDAGraph()
    ops.augment(images, draws, config)
    with torch.cuda.graph(graph):
        captured = ops.augment(images, draws, config)
    graph.replay()
    torch.testing.assert_close(captured.cpu(), expected, rtol=0, atol=1e-4)
