import pytest
import torch

from seresnet import resident as module
from seresnet.data import Split
from seresnet.resident import resident

CPU, OTHER = torch.device("cpu"), torch.device("meta")


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(module, "_copies", {})


def split(num=6):
    return Split(torch.zeros(num, 3, 32, 32, dtype=torch.uint8), torch.zeros(num).long())


def test_images_that_are_there_already_are_not_copied():
    images = split()
    assert resident(images, CPU) is images


def test_another_name_of_the_same_memory_gets_the_same_copy():
    images = split()
    copy = resident(images, OTHER)
    assert copy.images.device == copy.labels.device == OTHER
    again = Split(torch.from_numpy(images.images.numpy()), torch.from_numpy(images.labels.numpy()))
    assert resident(again, OTHER) is copy


def test_other_images_and_changed_ones_are_copied_anew():
    images = split()
    copy = resident(images, OTHER)
    assert resident(split(), OTHER) is not copy
    assert resident(Split(images.images[:3], images.labels[:3]), OTHER) is not copy
    images.images.fill_(1)
    assert resident(images, OTHER) is not copy


def test_a_process_keeps_few_copies_and_the_newest():
    kept = [split() for _ in range(6)]
    copies = [resident(each, OTHER) for each in kept]
    assert len(module._copies) == 4
    assert resident(kept[-1], OTHER) is copies[-1]
    assert resident(kept[0], OTHER) is not copies[0]
