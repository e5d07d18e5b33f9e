import contextlib
import dataclasses
import errno
from types import SimpleNamespace

import numpy as np
import pytest
import ray
import ray.tune
import torch

from search.engine import trial as trial_module
from search.engine.messages import EpochMessage, Failure, Refusal, read_message
from search.engine.trial import (
    as_arrays,
    as_split,
    describe_host,
    granted_device,
    run_trial,
    set_granted_threads,
)
from seresnet.data import Split
from seresnet.fence import Fence
from seresnet.train import TrainState, train

CPU = torch.device("cpu")
STACK = """\
Timeout (0:00:05)!
Thread 0x00007f1 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 320 in wait
Thread 0x00007f2 (most recent call first):
  File "/usr/lib/python3.11/site-packages/torch/nn/modules/conv.py", line 10 in forward
  File "/home/me/seresnet/train.py", line 171 in _step
"""


@pytest.fixture
def granted(monkeypatch):
    """A function that pretends what Ray granted to this process, and what torch finds."""

    def pretend(*, gpus=(), has_cuda=False, **resources):
        context = SimpleNamespace(get_assigned_resources=lambda: resources)
        monkeypatch.setattr(ray, "get_gpu_ids", lambda: list(gpus))
        monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)

    return pretend


@pytest.mark.parametrize("has_cuda", [True, False], ids=["cuda-in-sight", "no-cuda"])
def test_without_a_granted_gpu_a_trial_computes_on_the_cpu(granted, has_cuda):
    granted(gpus=[], has_cuda=has_cuda)
    assert granted_device() == CPU


@pytest.mark.parametrize("gpus", [[3], ["3"], [0, 1]], ids=["one", "by-name", "two"])
def test_a_granted_gpu_is_the_first_that_ray_leaves_in_sight(granted, gpus):
    granted(gpus=gpus, has_cuda=True)
    assert granted_device() == torch.device("cuda", 0)


def test_a_granted_gpu_that_torch_cannot_use_is_an_error(granted):
    granted(gpus=[0], has_cuda=False)
    with pytest.raises(RuntimeError, match="granted a GPU, but this PyTorch cannot use it"):
        granted_device()


@pytest.mark.parametrize(
    ("resources", "threads"),
    [
        pytest.param({"CPU": 0.5}, 1, id="half-a-cpu"),
        pytest.param({"CPU": 1.0}, 1, id="one"),
        pytest.param({"CPU": 2.0}, 2, id="two"),
        pytest.param({"CPU": 2.5, "GPU": 0.5}, 2, id="rounded-down"),
        pytest.param({}, 1, id="none-named"),
    ],
)
def test_a_trial_computes_with_as_many_threads_as_cpus_were_granted(granted, resources, threads):
    granted(**resources)
    torch.set_num_threads(2 if threads == 1 else 1)
    set_granted_threads()
    assert torch.get_num_threads() == threads


def test_images_travel_and_come_back_equal(tiny_split):
    split = as_split(as_arrays(tiny_split))
    assert torch.equal(split.images, tiny_split.images)
    assert torch.equal(split.labels, tiny_split.labels)


def test_the_trials_of_a_node_share_the_memory_of_their_images(tiny_config, tiny_split):
    arrays = as_arrays(tiny_split)
    for array in arrays:
        array.setflags(write=False)  # as Ray's object store hands them out
    before = [array.copy() for array in arrays]
    split = as_split(arrays)
    assert split.images.data_ptr() == arrays[0].ctypes.data
    assert split.labels.data_ptr() == arrays[1].ctypes.data
    list(train(TrainState.create(tiny_config, CPU), split, split))
    assert split.images._version == split.labels._version == 0  # nothing wrote through them
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_a_host_tells_where_and_how_a_trial_computes(tiny_config):
    host = describe_host(TrainState.create(tiny_config, CPU))
    assert (host.device, host.dtype, host.threads) == ("cpu", "float32", 1)
    assert host.node


class Stopped(SystemExit):
    """What `ray.tune.report` raises in a trial that the driver stops."""


def leave(code):
    """End a trial as `os._exit` ends its process."""
    raise Stopped(code)


@pytest.fixture
def start(granted, monkeypatch, study_config, tiny_split, tmp_path):
    """A function that runs a trial of the tiny study, stopped at its so-manieth report."""
    granted(CPU=1.0)
    arrays = as_arrays(Split(tiny_split.images[:64], tiny_split.labels[:64]))
    checkpoints, attempts = tmp_path / "checkpoints", [0]

    def start(*, stopped_at=99, params=None, attempt=None, epochs_stored=0):
        messages = []

        def report(metrics):
            flat = {**metrics, **{f"host/{k}": v for k, v in metrics.get("host", {}).items()}}
            messages.append(read_message(flat))
            if isinstance(messages[-1], EpochMessage):
                epoch = messages[-1].result.epoch
                assert (checkpoints / "t0005" / f"epoch-{epoch:04d}.pt").is_file()
            if len(messages) == stopped_at:
                raise Stopped(0)

        monkeypatch.setattr(ray.tune, "report", report)
        monkeypatch.setattr(trial_module.os, "_exit", leave)
        params = {"dropout": 0.1, "warmup_epochs": 1} if params is None else params
        attempts.append(attempts[-1] + 1 if attempt is None else attempt)
        config = {"number": 5, "params": params, "seed": 3, "attempt": attempts[-1]}
        config["epochs_stored"] = epochs_stored
        with contextlib.suppress(Stopped):
            run_trial(
                config,
                study=study_config,
                checkpoints=checkpoints,
                train_arrays=arrays,
                val_arrays=arrays,
            )
        return messages

    return start


def numbers(messages):
    """Return the results without their times."""
    return [dataclasses.replace(m.result, seconds=0, images_per_second=0) for m in messages]


def test_a_trial_reports_each_epoch_once_its_checkpoint_lies_on_disk(start):
    messages = start()
    assert [m.result.epoch for m in messages] == [1, 2, 3, 4]
    assert all(m.host.device == "cpu" for m in messages)
    assert all(0 <= m.result.val_accuracy <= 1 for m in messages)


def test_an_interrupted_trial_reports_its_last_epoch_again_and_ends_as_if_it_had_run_on(start):
    before, after = start(stopped_at=2), start(epochs_stored=2)
    assert [m.result.epoch for m in before] == [1, 2]
    assert [m.result.epoch for m in after] == [2, 3, 4]
    assert after[0].result == before[1].result
    # Nothing is left to train.
    assert numbers(start(stopped_at=1, epochs_stored=4)) == numbers(after[-1:])


def test_an_interruption_leaves_no_trace_in_the_numbers(start, tmp_path):
    whole = numbers(start())
    for path in (tmp_path / "checkpoints" / "t0005").iterdir():
        path.unlink()
    parts = [*start(stopped_at=2), *start(epochs_stored=2)[1:]]
    assert numbers(parts) == whole


def test_epochs_that_the_study_never_heard_of_are_reported_first(start):
    before, after = start(stopped_at=3), start(epochs_stored=1)
    assert [m.result.epoch for m in after] == [2, 3, 4]
    assert [m.result for m in after[:2]] == [m.result for m in before[1:]]


def test_each_message_names_the_attempt(start):
    assert {m.attempt for m in start(attempt=4)} == {4}


def test_an_orphan_writes_no_checkpoint_and_says_nothing(start, monkeypatch, tmp_path, caplog):
    real = trial_module.checkpoint.save

    def overtaken(state, folder, *, fence):
        Fence(folder, 9).claim()  # a new driver has handed the trial out
        return real(state, folder, fence=fence)

    monkeypatch.setattr(trial_module.checkpoint, "save", overtaken)
    assert start(attempt=1) == []
    assert list((tmp_path / "checkpoints" / "t0005").glob("epoch-*")) == []
    assert "t0005: attempt 1 is over" in caplog.text
    assert start(attempt=2) == []  # it starts late, when its successor is at work


def test_a_full_disk_is_the_machines_fault_and_not_the_trials(start, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "epoch-0001.pt")

    monkeypatch.setattr(trial_module.checkpoint, "save", full)
    (refusal,) = start()
    assert isinstance(refusal, Refusal)
    assert refusal.error.startswith("epoch-0001.pt: No space left on device (node ")


def test_a_trial_whose_earlier_attempt_hung_is_not_begun_again(start, tmp_path):
    folder = tmp_path / "checkpoints" / "t0005"
    folder.mkdir(parents=True)
    (folder / "hung.txt").write_text(STACK)
    (failure,) = start()
    assert failure.kind == "timeout"
    assert failure.error.endswith("resources.epoch_timeout, in train.py:171")


@pytest.mark.parametrize(
    ("params", "kind", "text"),
    [
        pytest.param({"lr": 1e30}, "diverged", "diverged in epoch 1: ", id="diverged"),
        pytest.param({"dropout": 2.0}, "exception", "ValueError: dropout: must be in", id="bad"),
        pytest.param({}, "exception", "RuntimeError: boom (test_trial.py", id="crashed"),
    ],
)
def test_a_trial_that_cannot_go_on_says_why_and_reports_nothing_else(
    start, monkeypatch, params, kind, text
):
    def crash(*_):
        raise RuntimeError("boom")

    if not params:
        monkeypatch.setattr(trial_module, "train", crash)
    params = {"dropout": 0.1, "warmup_epochs": 0, **params}
    (failure,) = start(params=params)
    assert isinstance(failure, Failure)
    assert failure.kind == kind
    assert failure.error.startswith(text)


def test_the_settings_of_a_trial_are_the_studys_with_its_own_laid_over(
    start, monkeypatch, study_config
):
    made = []
    create = TrainState.create
    monkeypatch.setattr(
        TrainState, "create", lambda config, device: made.append(config) or create(config, device)
    )
    start(stopped_at=1)
    (config,) = made
    assert (config.dropout, config.warmup_epochs, config.seed) == (0.1, 1, 3)
    assert (config.epochs, config.channels) == (4, (8, 8, 16, 16))
