"""Trainings timed in processes of their own; whatever ends one of them is said."""

import dataclasses
import multiprocessing
import os
import signal
import time
from statistics import median
from types import SimpleNamespace

import pytest
import torch

from search.engine import timing
from search.engine.grants import Crew
from search.engine.timing import TimingError, time_trainings
from search.engine.workload import Training
from seresnet import train as training_module
from seresnet.config import TrainConfig

ONE, TWO = Crew(1, 1), Crew(2, 1)


@pytest.fixture
def endless(tiny_config):
    return dataclasses.replace(tiny_config, epochs=100_000)


def run(config, **changes):
    how = {"on_gpu": False, "trials": TWO, "retrainings": ONE, "seconds": 0.1, **changes}
    return time_trainings(config, 64, 32, **how)


def test_each_process_gives_its_windows_and_the_retrainings_have_their_own(endless):
    found = run(endless)
    assert len(found.trials) >= 2  # at least one of each process
    assert found.retrainings
    assert set(found.retrainings).isdisjoint(found.trials)
    for pace in (*found.trials, *found.retrainings):
        assert 0 < pace.train < 1
        assert 0 < pace.val < 1
    assert found.start_seconds > 0
    assert (found.device, found.dtype) == ("cpu", "float32")
    assert multiprocessing.active_children() == []


class Kill:
    """Unpickles as the end of the process."""

    batch_size = 16

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_is_killed_ends_them_all_and_is_said():
    with pytest.raises(TimingError, match="a process was killed, as for want of memory"):
        run(Kill(), trials=ONE)
    assert multiprocessing.active_children() == []


def test_what_fails_in_a_process_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    said = []
    config = SimpleNamespace(seed=None)
    job = timing._Job(config, 64, 32, "cpu", ONE, ONE, 0, 0.1, 0.0)
    timing._run(job, None, SimpleNamespace(send=said.append))
    (line,) = said
    assert line.startswith("TypeError: ")
    assert "\n" not in line


def test_a_process_that_never_answers_is_given_up(tiny_config, monkeypatch):
    monkeypatch.setattr(timing, "_START_SECONDS", 0.0)
    with pytest.raises(TimingError, match="no answer in time"):
        run(tiny_config, trials=ONE, seconds=0.0)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_windows_foretell_a_whole_epoch(monkeypatch):
    # In processor seconds: what else the machine does takes no part.
    monkeypatch.setattr(training_module, "time", SimpleNamespace(monotonic=time.process_time))
    config = TrainConfig(epochs=100_000, channels=(8, 16, 32, 64), precision="fp32", lr=1e-3)
    num_train, num_val = 40 * 128, 1500
    job = timing._Job(config, 4 * 128, 250, "cpu", ONE, ONE, 0, 2.0, 0.0)
    window = Training(config, job.num_train, job.num_val, 0, torch.device("cpu"))
    window.train_epoch()
    paces = timing._windows(window, job, ONE, SimpleNamespace(wait=lambda _: None))
    whole = Training(config, num_train, num_val, 0, torch.device("cpu")).train_epoch()
    foretold = median(num_train * pace.train + num_val * pace.val for pace in paces)
    assert 0.85 < whole.seconds / foretold < 1.15
