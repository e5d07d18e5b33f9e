"""Scheduling on a pretended box of GPUs: what each trial is granted, and how many run at once."""

import os

import pytest
import ray
import ray.tune
import torch
from optuna.storages import InMemoryStorage

from search.engine.cluster import grant, session, usable_grant
from search.engine.course import Course
from search.engine.grants import Grant
from search.engine.messages import EpochMessage, Failure
from search.engine.tuning import run_search
from search.interrupts import StopRequest
from search.study.errors import MachineError
from search.study.ledger import Ledger
from search.study.records import Host
from search.study.space import Resources
from seresnet.epoch import EpochResult

pytestmark = [pytest.mark.ray]


@pytest.fixture(scope="module", autouse=True)
def box():
    """A machine of 8 CPUs and 2 GPUs, or so Ray believes."""
    with session(num_cpus=8, num_gpus=2, object_store_memory=200 * 2**20):
        yield


def fake_trial(config):
    """Report the GPU it was granted in place of a device; values depend on the parameters."""
    granted = ",".join(ray.get_runtime_context().get_accelerator_ids()["GPU"])
    host = Host(node="box", device=f"gpu {granted}", dtype="float32", threads=1)
    if config["number"] == 3:
        ray.tune.report(Failure("cuda-oom", "out of memory").as_report())
    for epoch in range(1, 5):
        value = config["params"]["dropout"] * epoch / 4
        result = EpochResult(
            epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value, val_accuracy_raw=value,
            lr=0.1, seconds=1.0, images_per_second=1.0,
        )  # fmt: skip
        ray.tune.report(EpochMessage(result, host, config["attempt"]).as_report())


def test_fractional_gpus_pack_trials_and_every_trial_has_one(study_config):
    resources = Resources(gpus_per_trial=0.5)
    granted = grant(resources)
    assert (granted.gpus, granted.slots) == (0.5, 4)
    ledger = Ledger.open(InMemoryStorage(), study_config)
    running = []
    ledger.observe = lambda trial: running.append(sum(not t.is_finished for t in ledger.trials))
    run_search(fake_trial, granted, Course(ledger, StopRequest(print, "")))
    assert ledger.num_remaining == 0
    assert 2 <= max(running) <= 4
    devices = {t.host.device for t in ledger.trials if t.host}
    assert devices <= {"gpu 0", "gpu 1"}
    states = [t.state for t in ledger.trials]
    assert states[:2] == ["COMPLETE", "COMPLETE"]
    assert states[3] == "FAIL"
    assert ledger.trials[3].attempts == 1


def dies_as_it_ends(config):
    """The first trial takes its worker along, while Tune changes that over to the next trial."""
    try:
        fake_trial(config)
    finally:
        if config["number"] == 0:
            os._exit(1)


def test_a_trial_whose_worker_dies_before_it_begins_waits_for_another(study_config, caplog):
    ledger = Ledger.open(InMemoryStorage(), study_config)
    run_search(dies_as_it_ends, Grant(1, 0, 1), Course(ledger, StopRequest(print, "")))
    assert "t0001: its worker died before it began" in caplog.text
    assert ledger.trials[1].attempts >= 2  # Tune may begin one more that it then gives up
    assert [t.error_kind for t in ledger.trials] == ["", "", "", "cuda-oom", "", ""]


def test_auto_is_as_many_trials_a_gpu_as_were_chosen_one_unless_said():
    granted = grant(Resources())
    assert (granted.cpus, granted.gpus, granted.slots) == (1, 1, 2)
    packed = grant(Resources(), trials_per_gpu=4)
    assert (packed.cpus, packed.gpus, packed.slots) == (1, 0.25, 8)


@pytest.mark.parametrize(
    ("resources", "slots"),
    [
        pytest.param(Resources(gpus_per_trial=0.0), 8, id="cpus-alone"),
        pytest.param(Resources(gpus_per_trial=1.0), 2, id="whole-gpus"),
        pytest.param(Resources(gpus_per_trial=0.25, cpus_per_trial=2), 4, id="cpus-run-out-first"),
        pytest.param(Resources(gpus_per_trial=0.5, max_concurrent=3), 3, id="as-asked"),
    ],
)
def test_as_many_trials_run_as_fit(resources, slots):
    assert grant(resources).slots == slots


def test_more_than_the_machine_has_is_refused_at_the_start():
    with pytest.raises(MachineError, match=r"the largest machine has 8 and 2") as caught:
        grant(Resources(cpus_per_trial=9))
    assert caught.value.exit_code == 3
    assert "--gpus-per-trial" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="the pretended GPU would be a real one")
def test_a_gpu_that_pytorch_cannot_use_is_refused_before_a_trial_is_spent():
    with pytest.raises(
        MachineError, match=r"PyTorch cannot use the GPU that Ray grants: ."
    ) as caught:
        usable_grant(Resources())
    assert "--gpus-per-trial 0" in caught.value.hint


def test_trials_without_a_gpu_need_no_probe():
    assert usable_grant(Resources(gpus_per_trial=0.0)).slots == 8
