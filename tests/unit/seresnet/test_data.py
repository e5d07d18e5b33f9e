import hashlib
import logging
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from seresnet import data
from seresnet.data import (
    CLASS_NAMES,
    file_report,
    load_labelled,
    load_test,
    warn_unpublished,
)
from seresnet.errors import DataError

BATCHES = "cifar-10-batches-py"
TRAIN_NAMES = [f"data_batch_{i}" for i in range(1, 6)]


def pixels(n, seed=0):
    """(n, 3, 32, 32) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)


def write(path, content, *, protocol=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def write_batches(folder, *, names=TRAIN_NAMES, protocol=2, text_keys=False, **changes):
    for seed, name in enumerate(names):
        batch = {"data": pixels(4, seed).reshape(4, 3072), "labels": [seed, 9, 0, 1]} | changes
        keys = batch if text_keys else {key.encode(): value for key, value in batch.items()}
        write(folder / name, keys, protocol=protocol)
    return folder


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("text_keys", [False, True], ids=["bytes-keys", "text-keys"])
def test_batches_are_read_in_order(tmp_path, protocol, text_keys):
    write_batches(tmp_path / BATCHES, protocol=protocol, text_keys=text_keys)
    split = load_labelled(tmp_path)
    assert len(split) == 20
    assert split.images.dtype == torch.uint8
    assert split.labels.dtype == torch.int64
    np.testing.assert_array_equal(split.images.numpy()[4:8], pixels(4, seed=1))
    assert split.labels.tolist()[:8] == [0, 9, 0, 1, 1, 9, 0, 1]


@pytest.mark.parametrize(
    "folder",
    [
        BATCHES,
        ".",
        f"cifar-10-python/{BATCHES}",
        f"deep-learning-spring-2025-project-1/cifar-10-python/{BATCHES}",
    ],
    ids=["parent", "own-folder", "archive", "competition"],
)
def test_batches_are_found_in_each_layout(tmp_path, folder):
    write_batches(tmp_path / folder)
    assert len(load_labelled(tmp_path)) == 20


def test_planar_rows_become_red_green_and_blue_planes(tmp_path):
    row = np.repeat(np.array([10, 20, 30], dtype=np.uint8), 1024)[None]
    write_batches(tmp_path, data=row, labels=[3])
    image = load_labelled(tmp_path).images[0]
    assert [image[channel].unique().item() for channel in range(3)] == [10, 20, 30]


def test_missing_files_name_the_folder_and_the_download(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: must hold CIFAR-10's") as caught:
        load_labelled(tmp_path)
    assert "--download" in caught.value.hint


def test_folder_that_does_not_exist_is_the_same_error(tmp_path):
    with pytest.raises(DataError, match="absent: must hold CIFAR-10's"):
        load_labelled(tmp_path / "absent")


def test_missing_batches_are_named(tmp_path):
    write_batches(tmp_path / BATCHES, names=["data_batch_1", "data_batch_3", "data_batch_4"])
    with pytest.raises(DataError, match=r"missing data_batch_2, data_batch_5"):
        load_labelled(tmp_path)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, ">u4"], ids=str)
def test_other_integers_within_bytes_are_accepted(tmp_path, dtype):
    write_batches(tmp_path, data=pixels(4).reshape(4, 3072).astype(dtype))
    np.testing.assert_array_equal(load_labelled(tmp_path).images.numpy()[:4], pixels(4))


@pytest.mark.parametrize("kind", ["list", "int64", "uint8"])
def test_labels_may_be_a_list_or_an_array(tmp_path, kind):
    labels = [1, 2, 3, 4]
    write_batches(tmp_path, labels=labels if kind == "list" else np.array(labels, dtype=kind))
    assert load_labelled(tmp_path).labels.tolist() == labels * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": pixels(4)}, r"data: must have shape \(n, 3072\), got \(4, 3, 32, 32\)"),
        ({"data": pixels(4).reshape(4, 3072)[:, :784]}, r"shape \(n, 3072\), got \(4, 784\)"),
        ({"data": pixels(4).reshape(4, 3072) / 255}, "integers from 0 to 255, got float64"),
        ({"data": np.full((4, 3072), 256)}, "data: must lie in 0 to 255, got 256 to 256"),
        ({"data": np.full((4, 3072), -1)}, "data: must lie in 0 to 255, got -1 to -1"),
        ({"data": np.ones((4, 3072), dtype=bool)}, "data: must be integers.*got bool"),
        ({"data": [[0] * 3072]}, "data: must be an array of images, got list"),
        ({"data": None}, "data: must be an array of images, got no such key"),
        ({"labels": [0, 1, 2]}, r"labels: must be as many as the images \(4\), got 3"),
        ({"labels": [0, 1, 2, 10]}, "labels: must lie in 0 to 9, got 0 to 10"),
        ({"labels": [-1, 1, 2, 3]}, "labels: must lie in 0 to 9, got -1 to 3"),
        ({"labels": [0, 1, 2, 3.0]}, "labels: must be integers, got float"),
        ({"labels": [0, 1, None, True]}, "labels: must be integers, got NoneType, bool"),
        ({"labels": [0, 1, 2, 2**63]}, "labels: must fit in 64 bits"),
        ({"labels": np.zeros((4, 1), dtype=int)}, "labels: must be a row of integers"),
        ({"labels": np.zeros(4)}, "labels: must be a row of integers, got float64"),
        ({"labels": b"0123"}, "labels: must be a list or array of integers, got bytes"),
    ],
    ids=[
        "shape", "size", "float", "above", "below", "bool", "list-data", "no-data", "few-labels",
        "label-10", "label-minus-1", "float-label", "odd-labels", "huge-label", "column",
        "float-array", "text",
    ],
)  # fmt: skip
def test_wrong_batches_name_file_key_and_value(tmp_path, changes, message):
    write_batches(tmp_path, **changes)
    with pytest.raises(DataError, match=f"data_batch_1: .*{message}") as caught:
        load_labelled(tmp_path)
    assert caught.value.hint


def test_batch_without_images_is_refused(tmp_path):
    # protocol 5, because protocol 2 writes empty bytes as a call of a global that is refused
    write_batches(tmp_path, protocol=5, data=pixels(0).reshape(0, 3072), labels=[])
    with pytest.raises(DataError, match=r"data: must hold at least one image, got \(0, 3072\)"):
        load_labelled(tmp_path)


def test_cifar_100_is_recognised_as_something_else(tmp_path):
    content = {b"data": pixels(2).reshape(2, 3072), b"fine_labels": [1, 2]}
    for name in TRAIN_NAMES:
        write(tmp_path / name, content)
    with pytest.raises(DataError, match="labels: must be there, got data, fine_labels"):
        load_labelled(tmp_path)


def test_damaged_batch_is_named(tmp_path):
    write_batches(tmp_path)
    path = tmp_path / "data_batch_4"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="data_batch_4: cannot read this pickle"):
        load_labelled(tmp_path)


def test_test_batch_is_read_where_it_is(tmp_path):
    write_batches(tmp_path, names=["test_batch"])
    split = load_test(tmp_path)
    np.testing.assert_array_equal(split.images.numpy(), pixels(4))
    assert split.labels.tolist() == [0, 9, 0, 1]


def test_no_test_batch_is_none(tmp_path):
    assert load_test(tmp_path) is None
    write_batches(tmp_path / BATCHES)
    assert load_test(tmp_path) is None


def test_report_tells_published_files_from_others(tmp_path, monkeypatch):
    folder = write_batches(tmp_path / BATCHES)
    write(folder / "batches.meta", {b"label_names": [name.encode() for name in CLASS_NAMES]})
    known = hashlib.md5((folder / "data_batch_1").read_bytes()).hexdigest()
    monkeypatch.setitem(data._PUBLISHED_MD5, "data_batch_1", known)
    report = file_report(tmp_path)
    assert list(report) == [*TRAIN_NAMES, "batches.meta"]
    assert report["data_batch_1"] == {"md5": known, "published": True}
    assert report["data_batch_2"]["published"] is False


def test_one_flipped_bit_of_a_published_file_is_reported_with_its_checksum(tmp_path, monkeypatch):
    folder = write_batches(tmp_path / BATCHES)
    path = folder / "data_batch_1"
    content = bytearray(path.read_bytes())
    known = hashlib.md5(content).hexdigest()
    monkeypatch.setitem(data._PUBLISHED_MD5, "data_batch_1", known)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = file_report(tmp_path)["data_batch_1"]
    assert found == {"md5": hashlib.md5(content).hexdigest(), "published": False}
    assert found["md5"] != known


def test_report_of_an_empty_folder_is_empty(tmp_path):
    assert file_report(tmp_path) == {}


def test_other_images_are_one_warning(tmp_path, caplog):
    write_batches(tmp_path / BATCHES)
    with caplog.at_level(logging.WARNING):
        warn_unpublished(file_report(tmp_path))
    assert [record.getMessage() for record in caplog.records] == [
        "the images are not the published CIFAR-10 bytes (5 of 5 files differ): "
        "accuracies compare only with runs on the same files"
    ]


@pytest.mark.parametrize(
    "report",
    [{}, {"data_batch_1": {"published": True}, "batches.meta": {"published": False}}],
    ids=["nothing", "only-meta-differs"],
)
def test_published_images_are_no_warning(report, caplog):
    warn_unpublished(report)
    assert caplog.records == []


@pytest.mark.data
def test_real_files_hold_5000_images_of_each_class():
    if "CIFAR10_DIR" not in os.environ:
        pytest.skip("CIFAR10_DIR names no folder")
    root = Path(os.environ["CIFAR10_DIR"])
    split = load_labelled(root)
    assert split.images.shape == (50_000, 3, 32, 32)
    assert split.labels.bincount().tolist() == [5000] * 10
