"""Several trainings on one pretended GPU: they share it, and whatever fails is said."""

import json
import os
from functools import partial

import pytest
import ray
import torch

from search.engine.cluster import session
from search.engine.measuring import measure, training_of
from search.engine.mps import Daemon
from search.engine.packing import Packing, settle
from search.study.dataset import Dataset

pytestmark = [pytest.mark.ray]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def box():
    """A machine of 8 CPUs and 2 GPUs, or so Ray believes."""
    with session(num_cpus=8, num_gpus=2, object_store_memory=200 * 2**20):
        yield


class FakeLoad:
    """Multiplies matrices; notes where it runs, and fails as told when not alone."""

    def __init__(self, folder, failure=""):
        context = ray.get_runtime_context()
        self.share = context.get_assigned_resources()["GPU"]
        self.failure = failure
        facts = {
            "gpus": context.get_accelerator_ids()["GPU"],
            "pipe": os.environ.get("CUDA_MPS_PIPE_DIRECTORY"),
            "threads": torch.get_num_threads(),
        }
        (folder / str(os.getpid())).write_text(json.dumps(facts))

    def epoch(self):
        torch.rand(64, 64) @ torch.rand(64, 64)
        if self.share < 1 and self.failure == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        if self.share < 1 and self.failure == "crash":
            os._exit(1)
        return 10

    def memory(self):
        return 4.0, 10.0


def facts(folder):
    return [json.loads(path.read_text()) for path in folder.iterdir()]


def test_trials_share_one_gpu_each_in_a_process_of_its_own(tmp_path):
    load = partial(FakeLoad, tmp_path)
    row = measure(load, 2, "/pipe", cpus=2, seconds=0.05)
    assert (row.trials, row.is_mps, row.problem) == (2, True, "")
    assert (row.memory_used, row.memory_total) == (4.0, 10.0)
    assert row.images_per_second > 0
    first, second = facts(tmp_path)
    assert first == second
    assert len(first["gpus"]) == 1
    assert (first["pipe"], first["threads"]) == ("/pipe", 2)


@pytest.mark.slow
def test_a_candidate_that_runs_out_of_memory_says_so(tmp_path):
    row = measure(partial(FakeLoad, tmp_path, "memory"), 2, cpus=1, seconds=0.05)
    assert row.problem.startswith("OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB")
    assert not row.is_possible


def test_after_a_crash_the_gpu_is_free_and_the_smaller_number_is_used(tmp_path):
    said = []
    one = partial(measure, partial(FakeLoad, tmp_path, "crash"), cpus=1, seconds=0.05)
    with Daemon(is_local=False) as daemon:
        packing, pipe = settle(Packing("pretended", {}, (1, 2, 4)), [], daemon, one, said.append)
    assert [row.trials for row in packing.rows] == [1, 2]
    assert packing.rows[1].problem.startswith("ActorDiedError: ")
    assert (packing.choice.trials, pipe) == (1, None)
    assert any(line.startswith("trials a GPU: 2 on a GPU: ActorDiedError: ") for line in said)
    groups = ray.util.placement_group_table().values()
    assert {group["state"] for group in groups} == {"REMOVED"}


@pytest.mark.slow
def test_the_real_training_is_measured_in_the_shape_of_the_study(study_config, tiny_split):
    dataset = Dataset(tiny_split, tiny_split, {})
    row = measure(training_of(study_config, dataset, CPU), 2, cpus=1, seconds=0.05)
    assert row.problem == ""
    assert row.images_per_second > 0


def test_more_than_a_machine_has_is_said_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr("search.engine.measuring._PLACE_SECONDS", 0.1)
    row = measure(partial(FakeLoad, tmp_path), 2, cpus=8, seconds=0.05)
    assert row.problem == "no GPU was free within 0.1 s"
    assert facts(tmp_path) == []
