import pickle

import numpy as np
import pytest
import torch

from search.study.dataset import load_dataset, load_test_images, sizes
from search.study.sections import DataConfig
from seresnet.data import Split
from seresnet.errors import DataError
from seresnet.splits import content_hash
from seresnet.synthetic import NUM_LABELLED, NUM_TEST

NUM_LABELLED_CIFAR = 200
CIFAR = DataConfig(source="cifar10", num_val=50)


def pixels(num, seed):
    return np.random.default_rng(seed).integers(0, 256, (num, 3072), dtype=np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five small batches in CIFAR-10's format: other images than the published ones."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for k in range(1, 6):
        batch = {b"data": pixels(40, k), b"labels": [i % 10 for i in range(40)]}
        (folder / f"data_batch_{k}").write_bytes(pickle.dumps(batch, protocol=2))
    return root


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    return load_dataset(DataConfig(source="synthetic", num_val=500), tmp_path_factory.mktemp("no"))


def rows(split):
    return sorted(image.numpy().tobytes() for image in split.images)


def unlabelled(path, *, num=4, ids=None):
    content = {b"data": pixels(num, 9), b"ids": ids or list(range(num))}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def test_synthetic_images_need_no_file(synthetic):
    assert len(synthetic.val) == 500
    assert len(synthetic.train) == NUM_LABELLED - 500
    assert synthetic.report["source"] == "synthetic"
    assert synthetic.report["files"] is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(DataConfig(), (45_000, 5_000), id="cifar10"),
        pytest.param(DataConfig(num_val=3000, num_train=10_000), (10_000, 3_000), id="subset"),
        pytest.param(
            DataConfig(source="synthetic", num_val=500), (NUM_LABELLED - 500, 500), id="synthetic"
        ),
        pytest.param(
            DataConfig(source="synthetic", num_val=500, num_train=10**6),
            (NUM_LABELLED - 500, 500),
            id="no-more-than-there-are",
        ),
    ],
)
def test_the_sizes_of_the_parts_are_known_without_a_file(config, expected):
    assert sizes(config) == expected


def test_the_sizes_that_are_told_are_those_that_are_read(synthetic):
    assert sizes(DataConfig(source="synthetic", num_val=500)) == (
        len(synthetic.train),
        len(synthetic.val),
    )


def test_the_report_tells_the_parts_apart_by_their_hashes(synthetic):
    report = synthetic.report
    assert report["train_sha256"] == content_hash(synthetic.train)
    assert report["val_sha256"] == content_hash(synthetic.val)
    assert report["train_sha256"] != report["val_sha256"]
    assert (report["num_train"], report["num_val"]) == (NUM_LABELLED - 500, 500)
    assert report["split_seed"] == 0


def test_every_labelled_image_is_in_one_part(root):
    dataset = load_dataset(CIFAR, root)
    assert (len(dataset.train), len(dataset.val)) == (150, 50)
    expected = [row.tobytes() for k in range(1, 6) for row in pixels(40, k)]
    assert sorted(rows(dataset.train) + rows(dataset.val)) == sorted(expected)
    assert torch.bincount(dataset.val.labels).tolist() == 10 * [5]


def test_the_winner_is_retrained_on_both_parts(root):
    dataset = load_dataset(DataConfig(source="cifar10", num_val=50, num_train=70), root)
    assert isinstance(dataset.labelled, Split)
    assert len(dataset.labelled) == 120
    assert rows(dataset.labelled) == sorted(rows(dataset.train) + rows(dataset.val))
    assert torch.equal(dataset.labelled.labels[:70], dataset.train.labels)
    assert torch.equal(dataset.labelled.labels[70:], dataset.val.labels)


def test_a_subset_to_train_on_leaves_the_validation_part_alone(root):
    whole = load_dataset(CIFAR, root)
    part = load_dataset(DataConfig(source="cifar10", num_val=50, num_train=70), root)
    assert part.report["val_sha256"] == whole.report["val_sha256"]
    assert part.report["train_sha256"] != whole.report["train_sha256"]
    assert set(rows(part.train)) < set(rows(whole.train))


def test_other_images_have_another_hash(root, tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for path in root.rglob("data_batch_*"):
        (folder / path.name).write_bytes(path.read_bytes())
    assert load_dataset(CIFAR, tmp_path).report == load_dataset(CIFAR, root).report
    batch = pickle.loads((folder / "data_batch_3").read_bytes(), encoding="bytes")
    batch[b"data"][7, 7] ^= 1
    (folder / "data_batch_3").write_bytes(pickle.dumps(batch, protocol=2))
    changed, before = load_dataset(CIFAR, tmp_path).report, load_dataset(CIFAR, root).report
    hashes = ("train_sha256", "val_sha256")
    assert sum(changed[key] != before[key] for key in hashes) == 1


def test_files_that_are_not_the_published_ones_are_named_and_warned_of(root, caplog):
    report = load_dataset(CIFAR, root).report
    assert set(report["files"]) == {f"data_batch_{k}" for k in range(1, 6)}
    assert not any(file["published"] for file in report["files"].values())
    (warning,) = caplog.messages
    assert "not the published CIFAR-10 bytes (5 of 5 files differ)" in warning


def test_missing_files_are_named_with_the_remedy(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)) as caught:
        load_dataset(CIFAR, tmp_path)
    assert "--download" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_too_few_images_for_the_split_name_the_key(root):
    with pytest.raises(DataError, match=r"data\.num_val: must .* got 195"):
        load_dataset(DataConfig(source="cifar10", num_val=195), root)


def test_the_test_images_of_a_synthetic_study_are_its_own(tmp_path):
    test = load_test_images(DataConfig(source="synthetic"), tmp_path, None)
    assert test.ids.tolist() == list(range(NUM_TEST))


def test_without_a_file_there_is_nothing_to_label(root):
    assert load_test_images(CIFAR, root, None) is None


@pytest.mark.parametrize("source", ["cifar10", "synthetic"])
def test_the_file_that_was_named_is_taken(tmp_path, source):
    unlabelled(tmp_path / "cifar_test_nolabel.pkl", num=6)
    named = unlabelled(tmp_path / "mine.pkl", ids=[3, 1, 4, 15])
    test = load_test_images(DataConfig(source=source), tmp_path, named)
    assert test.ids.tolist() == [3, 1, 4, 15]


def test_the_competitions_file_is_found_in_the_data_folder(tmp_path):
    unlabelled(tmp_path / "cifar_test_nolabel.pkl", num=6)
    assert len(load_test_images(CIFAR, tmp_path, None)) == 6


@pytest.mark.parametrize("content", [b"", b"not a pickle"], ids=["empty", "text"])
def test_a_damaged_test_file_is_an_error_and_not_no_file(tmp_path, content):
    (tmp_path / "cifar_test_nolabel.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"cifar_test_nolabel\.pkl"):
        load_test_images(CIFAR, tmp_path, None)
