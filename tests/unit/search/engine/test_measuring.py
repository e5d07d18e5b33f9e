"""What a process does while it is measured, and how its images are counted."""

import dataclasses
import json

import pytest
import torch

from search.engine import measuring
from search.engine.measuring import Worker, shape_of, training_of
from search.study.dataset import Dataset
from seresnet.data import Split

CPU = torch.device("cpu")


def split(num):
    return Split(torch.zeros(num, 3, 32, 32, dtype=torch.uint8), torch.zeros(num).long())


class FakeLoad:
    """Epochs of 10 images, each of so many seconds."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, list(seconds)

    def epoch(self):
        self.clock[0] += self.seconds.pop(0)
        return 10

    def memory(self):
        return 3.0, 8.0


@pytest.mark.parametrize(
    ("seconds", "expected", "epochs_left"),
    [
        pytest.param([1, 1, 1, 1, 1, 9], 10.0, 1, id="the-last-one-ends-after-the-window"),
        pytest.param([1.5, 1.5, 1.5, 9], 20 / 3, 1, id="what-is-cut-does-not-count"),
        pytest.param([1, 3, 4, 9], 5.0, 1, id="to-the-end-of-the-window"),
        pytest.param([8, 9], 1.25, 1, id="one-longer-than-the-window"),
    ],
)
def test_images_of_the_epochs_that_end_in_the_window_count(
    monkeypatch, seconds, expected, epochs_left
):
    clock = [100.0]
    monkeypatch.setattr(measuring.time, "monotonic", lambda: clock[0])
    worker = Worker(lambda: None, None)
    worker._load = FakeLoad(clock, seconds)
    sample = worker.run(4.0)
    assert sample.images_per_second == pytest.approx(expected)
    assert (sample.memory_used, sample.memory_total) == (3.0, 8.0)
    assert len(worker._load.seconds) == epochs_left


def test_a_training_has_the_shape_of_the_study_and_short_epochs(study_config):
    train = dataclasses.replace(study_config.train, batch_size=16)
    study = dataclasses.replace(study_config, train=train)
    make_load = training_of(study, Dataset(split(640), split(64), {}), CPU)
    config = make_load.args[0]
    assert (config.channels, config.batch_size) == ((8, 8, 16, 16), 16)
    assert config.dropout == study.baseline["dropout"]
    load = make_load()
    assert load.epoch() == 20 * 16
    assert load.epoch() == 20 * 16
    assert load.memory() == (0.0, 0.0)
    assert len(load._room) == 640 + 64 - 320 - 32


def test_a_small_study_is_measured_with_as_many_images_as_it_has(study_config):
    load = training_of(study_config, Dataset(split(64), split(8), {}), CPU)()
    assert (load.epoch(), len(load._room)) == (64, 0)


def test_the_shape_is_that_of_the_baseline_in_plain_values(study_config):
    shape = shape_of(study_config)
    assert shape == {
        "channels": [8, 8, 16, 16], "batch_size": 128, "precision": "fp32", "cpus_per_trial": 1,
    }  # fmt: skip
    assert json.loads(json.dumps(shape)) == shape
