import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seresnet.data import Split
from seresnet.errors import DataError
from seresnet.splits import content_hash, hold_out, stratified_subset


def numbered(labels):
    """Images that carry their own index in their first two bytes."""
    images = torch.zeros(len(labels), 3, 32, 32, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(len(labels)) % 256
    images[:, 0, 0, 1] = torch.arange(len(labels)) // 256
    return Split(images=images, labels=torch.tensor(labels))


def indices(split):
    return (split.images[:, 0, 0, 0].int() + 256 * split.images[:, 0, 0, 1].int()).tolist()


# What seed 0 holds out of BALANCED: drawn with raw PCG64 output, so the same everywhere.
GOLDEN_VAL = [17, 46, 60, 102, 148, 209, 223, 251, 264, 295]

BALANCED = numbered([label for _ in range(30) for label in range(10)])

# at least four images of each class, in any order
labellings = (
    st.lists(st.integers(4, 12), min_size=10, max_size=10)
    .map(lambda counts: [label for label, count in enumerate(counts) for _ in range(count)])
    .flatmap(st.permutations)
)


@given(labellings, st.floats(0.01, 0.6), st.integers(0, 2**63 - 1))
def test_hold_out_is_a_stratified_partition_in_order(labels, fraction, seed):
    split = numbered(labels)
    num_val = max(1, int(fraction * len(split)))
    train, val = hold_out(split, num_val=num_val, seed=seed)
    assert len(val) == num_val
    assert sorted(indices(train) + indices(val)) == list(range(len(split)))
    for part in (train, val):
        assert indices(part) == sorted(indices(part))
        assert part.labels.tolist() == [labels[index] for index in indices(part)]
    shares = split.labels.bincount(minlength=10) * num_val / len(split)
    assert ((val.labels.bincount(minlength=10) - shares).abs() < 1).all()


def test_same_seed_gives_the_same_parts():
    first, second = (hold_out(BALANCED, num_val=50, seed=3)[1] for _ in range(2))
    assert indices(first) == indices(second)


def test_another_seed_gives_other_parts():
    parts = {tuple(indices(hold_out(BALANCED, num_val=50, seed=seed)[1])) for seed in range(5)}
    assert len(parts) == 5


def test_parts_of_a_seed_never_change():
    _, val = hold_out(BALANCED, num_val=10, seed=0)
    assert indices(val) == GOLDEN_VAL


def test_global_random_state_is_neither_used_nor_moved():
    before = torch.get_rng_state()
    hold_out(BALANCED, num_val=10, seed=0)
    assert torch.equal(before, torch.get_rng_state())


def test_parts_share_no_memory_with_the_whole():
    split = numbered(list(range(10)) * 3)
    train, _ = hold_out(split, num_val=10, seed=0)
    train.images.fill_(255)
    assert indices(split) == list(range(30))


@pytest.mark.parametrize("num_val", [-1, 0, 291, 300, 301])
def test_impossible_sizes_are_refused_with_the_range(num_val):
    message = rf"data\.num_val: must lie in 1 to 290, .* got {num_val}$"
    with pytest.raises(DataError, match=message) as caught:
        hold_out(BALANCED, num_val=num_val, seed=0)
    assert caught.value.hint


def test_largest_hold_out_leaves_one_image_of_each_class():
    train, _ = hold_out(BALANCED, num_val=290, seed=0)
    assert len(train) == 10
    assert train.labels.bincount().tolist() == [1] * 10


def test_hold_out_that_empties_a_class_names_it():
    split = numbered([label for label in range(9) for _ in range(30)] + [9])
    with pytest.raises(DataError, match="takes every truck"):
        hold_out(split, num_val=200, seed=0)


@given(labellings, st.floats(0, 1), st.integers(0, 2**63 - 1))
def test_subset_is_stratified_and_in_order(labels, fraction, seed):
    split = numbered(labels)
    num = 10 + int(fraction * (len(split) - 10))
    subset = stratified_subset(split, num=num, seed=seed)
    assert len(subset) == num
    assert indices(subset) == sorted(set(indices(subset)))
    assert subset.labels.tolist() == [labels[index] for index in indices(subset)]
    shares = split.labels.bincount(minlength=10) * num / len(split)
    assert ((subset.labels.bincount(minlength=10) - shares).abs() < 1).all()


def test_subset_of_all_is_all():
    assert content_hash(stratified_subset(BALANCED, num=300, seed=0)) == content_hash(BALANCED)


def test_subset_and_hold_out_of_one_seed_are_unrelated():
    _, val = hold_out(BALANCED, num_val=50, seed=0)
    assert indices(stratified_subset(BALANCED, num=50, seed=0)) != indices(val)


@pytest.mark.parametrize("num", [-1, 0, 9, 301])
def test_impossible_subsets_are_refused_with_the_range(num):
    with pytest.raises(DataError, match=rf"data\.num_train: must lie in 10 to 300, got {num}$"):
        stratified_subset(BALANCED, num=num, seed=0)


def test_hash_is_that_of_images_then_labels():
    content = BALANCED.images.numpy().tobytes() + BALANCED.labels.numpy().tobytes()
    assert content_hash(BALANCED) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("changed", ["image", "label", "order"])
def test_hash_notices_a_change(changed):
    split = numbered(list(range(10)) * 2)
    before = content_hash(split)
    if changed == "image":
        split.images[3, 2, 31, 31] += 1
    elif changed == "label":
        split.labels[3] = 0
    else:
        split = Split(images=split.images.flip(0), labels=split.labels.flip(0))
    assert content_hash(split) != before


def test_hash_does_not_depend_on_the_memory_layout():
    strided = BALANCED.images.contiguous(memory_format=torch.channels_last)
    assert content_hash(Split(images=strided, labels=BALANCED.labels)) == content_hash(BALANCED)
