import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from seresnet.data import find_unlabelled, load_unlabelled
from seresnet.errors import DataError

BATCHES = "cifar-10-batches-py"


def pixels(n, seed=0):
    """(n, 3, 32, 32) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)


def write(path, content, *, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def make_batches(folder):
    """CIFAR-10's folder, as far as the search for its neighbour looks at it."""
    folder.mkdir(parents=True)
    (folder / "data_batch_1").touch()


LAYOUTS = {
    "hwc": lambda images: images.transpose(0, 2, 3, 1).copy(),
    "hwc-view": lambda images: images.transpose(0, 2, 3, 1),
    "chw": lambda images: images,
    "planar": lambda images: images.reshape(-1, 3072),
    "hwc-int64": lambda images: images.transpose(0, 2, 3, 1).astype(np.int64),
}


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
# 3 and 32 images: counts that could be taken for channels or rows
@pytest.mark.parametrize("num", [1, 3, 32])
def test_every_layout_gives_the_same_images(tmp_path, layout, protocol, num):
    content = {b"data": LAYOUTS[layout](pixels(num)), b"ids": np.arange(num)}
    unlabelled = load_unlabelled(write(tmp_path / "test.pkl", content, protocol=protocol))
    np.testing.assert_array_equal(unlabelled.images.numpy(), pixels(num))
    assert unlabelled.images.is_contiguous()
    assert len(unlabelled) == num


def test_loaded_images_may_be_written_to(tmp_path):
    path = write(tmp_path / "test.pkl", {"data": pixels(2), "ids": [0, 1]}, protocol=5)
    images = load_unlabelled(path).images
    images.zero_()
    assert images.sum() == 0


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "array"])
def test_ids_come_from_the_file(tmp_path, as_list):
    ids = [7, -3, 10**12]
    content = {b"data": pixels(3), b"ids": ids if as_list else np.array(ids)}
    unlabelled = load_unlabelled(write(tmp_path / "test.pkl", content))
    assert unlabelled.ids.tolist() == ids
    assert unlabelled.ids.dtype == torch.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": pixels(3)}, "ids: must name each image, got only data"),
        ({"data": pixels(3), "ids": [0, 1]}, r"ids: must be as many as the images \(3\), got 2"),
        ({"data": pixels(3), "ids": [0, 1, 1]}, "ids: must be unique, got 1 repeated"),
        ({"data": pixels(3), "ids": ["a", "b", "c"]}, "ids: must be integers, got str"),
        ({"data": pixels(3), "ids": np.arange(3.0)}, "ids: must be a row of integers"),
        ({"data": pixels(3), "ids": np.full(3, 2**63, np.uint64)}, "ids: must fit in 64 bits"),
        ({"data": pixels(3) / 255.0, "ids": [0, 1, 2]}, "integers from 0 to 255, got float64"),
        ({"data": pixels(3)[0], "ids": [0]}, r"data: must have shape .*got \(3, 32, 32\)"),
        ({"data": pixels(3)[:, :1], "ids": [0, 1, 2]}, r"data: .*got \(3, 1, 32, 32\)"),
        ({"data": pixels(3).transpose(0, 2, 1, 3), "ids": [0, 1, 2]}, r"\(3, 32, 3, 32\)"),
        ({"ids": [0]}, "data: must be an array of images, got no such key"),
    ],
    ids=[
        "no-ids", "few-ids", "repeated", "text", "float-ids", "huge-ids", "float", "one-image",
        "grey", "odd-layout", "no-data",
    ],
)  # fmt: skip
def test_wrong_unlabelled_files_are_refused(tmp_path, content, message):
    path = write(tmp_path / "test.pkl", content)
    with pytest.raises(DataError, match=message) as caught:
        load_unlabelled(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint


@pytest.mark.parametrize("name", ["cifar_test_nolabel.pkl", "cifar_test_nolabels.pkl"])
@pytest.mark.parametrize(
    ("batches", "root", "place"),
    [
        (BATCHES, ".", "."),
        (BATCHES, BATCHES, "."),
        (BATCHES, ".", BATCHES),
        (None, ".", "."),
        ("c/cifar-10-python/" + BATCHES, "c", "c"),
        ("c/cifar-10-python/" + BATCHES, "c/cifar-10-python", "c"),
        ("c/cifar-10-python/" + BATCHES, "c/cifar-10-python/" + BATCHES, "c"),
        (
            "deep-learning-spring-2025-project-1/cifar-10-python/" + BATCHES,
            ".",
            "deep-learning-spring-2025-project-1",
        ),
    ],
    ids=["root", "beside", "inside", "alone", "zip", "zip-python", "zip-batches", "zip-parent"],
)
def test_unlabelled_file_is_found(tmp_path, name, batches, root, place):
    if batches:
        make_batches(tmp_path / batches)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / name).touch()
    found = find_unlabelled(tmp_path / root)
    assert found is not None
    assert found.samefile(tmp_path / place / name)


def test_unlabelled_file_is_found_from_within_the_batches(tmp_path, monkeypatch):
    make_batches(tmp_path / BATCHES)
    (tmp_path / "cifar_test_nolabel.pkl").touch()
    monkeypatch.chdir(tmp_path / BATCHES)
    assert find_unlabelled(Path()) is not None


def test_unlabelled_file_of_a_neighbour_is_not_taken(tmp_path):
    make_batches(tmp_path / "data" / BATCHES)
    (tmp_path / "cifar_test_nolabel.pkl").touch()
    assert find_unlabelled(tmp_path / "data") is None


@pytest.mark.data
def test_real_file_holds_10000_photographs():
    if "CIFAR10_DIR" not in os.environ:
        pytest.skip("CIFAR10_DIR names no folder")
    path = find_unlabelled(Path(os.environ["CIFAR10_DIR"]))
    if path is None:
        pytest.skip("CIFAR10_DIR holds no test file of the competition")
    unlabelled = load_unlabelled(path)
    assert unlabelled.images.shape == (10_000, 3, 32, 32)
    # neighbouring pixels of a photograph are alike; those of a scrambled one are not
    images = unlabelled.images.float()
    assert (images[..., 1:] - images[..., :-1]).abs().mean() < images.std() / 4
