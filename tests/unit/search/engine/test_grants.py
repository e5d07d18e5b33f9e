"""What each trial gets of a cluster's machines, and how many run at once."""

from dataclasses import replace

import pytest
import ray

from search.engine.cluster import grant, widen
from search.engine.grants import Crew, Grant, slots_of
from search.study.errors import MachineError
from search.study.sections import Resources


@pytest.fixture
def nodes(monkeypatch):
    """A function that pretends a cluster of these machines, the dead ones as `None`."""

    def pretend(*machines):
        table = [
            {"Alive": m is not None, "Resources": m or {"CPU": 99, "GPU": 99}} for m in machines
        ]
        monkeypatch.setattr(ray, "nodes", lambda: table)

    return pretend


@pytest.mark.parametrize(
    ("node", "cpus", "gpus", "expected"),
    [
        pytest.param({"CPU": 2}, 1, 0, 2, id="cpus-alone"),
        pytest.param({"CPU": 7}, 2, 0, 3, id="a-cpu-is-left-over"),
        pytest.param({"CPU": 1}, 0.5, 0, 2, id="half-a-cpu"),
        pytest.param({"CPU": 3}, 0.1, 0, 30, id="tenths-of-a-cpu"),
        pytest.param({"CPU": 1}, 2, 0, 0, id="too-few-cpus"),
        pytest.param({"CPU": 8, "GPU": 2}, 1, 1, 2, id="whole-gpus"),
        pytest.param({"CPU": 8, "GPU": 2}, 1, 0.5, 4, id="half-a-gpu"),
        pytest.param({"CPU": 8, "GPU": 2}, 1, 0.25, 8, id="quarter-of-a-gpu"),
        pytest.param({"CPU": 8, "GPU": 2}, 1, 0.3, 6, id="three-to-a-gpu"),
        pytest.param({"CPU": 8, "GPU": 2}, 1, 0.6, 2, id="a-fraction-never-spans-two-gpus"),
        pytest.param({"CPU": 64, "GPU": 1}, 1, 0.1, 10, id="ten-to-a-gpu"),
        pytest.param({"CPU": 3, "GPU": 2}, 1, 0.25, 3, id="cpus-run-out-first"),
        pytest.param({"CPU": 8}, 1, 1, 0, id="no-gpu"),
        pytest.param({"GPU": 1}, 1, 1, 0, id="no-cpu"),
        pytest.param({}, 1, 0, 0, id="nothing"),
    ],
)
def test_a_machine_holds_as_many_trials_as_fit(node, cpus, gpus, expected):
    assert slots_of(node, cpus=cpus, gpus=gpus) == expected


@pytest.mark.parametrize(
    ("machines", "resources", "expected"),
    [
        pytest.param([{"CPU": 4}], Resources(), Grant(1, 0, 4), id="auto-without-gpus"),
        pytest.param([{"CPU": 9, "GPU": 2}], Resources(), Grant(1, 1, 2), id="auto-with-gpus"),
        pytest.param(
            [{"CPU": 16}, {"CPU": 4, "GPU": 2}], Resources(), Grant(1, 1, 2), id="gpus-on-one"
        ),
        pytest.param(
            [{"CPU": 3}, {"CPU": 3}],
            Resources(cpus_per_trial=2),
            Grant(2, 0, 2),
            id="none-spans-two",
        ),
        pytest.param([{"CPU": 4}, None], Resources(), Grant(1, 0, 4), id="dead-machines-hold-none"),
        pytest.param(
            [{"CPU": 4, "GPU": 1}], Resources(gpus_per_trial=0), Grant(1, 0, 4), id="gpus-unused"
        ),
        pytest.param([{"CPU": 4}], Resources(max_concurrent=3), Grant(1, 0, 3), id="fewer-asked"),
        pytest.param([{"CPU": 4}], Resources(max_concurrent=9), Grant(1, 0, 4), id="more-asked"),
    ],
)
def test_each_trial_gets_what_was_asked_for(nodes, machines, resources, expected):
    nodes(*machines)
    assert grant(resources) == expected


def test_auto_takes_the_packing_where_there_is_a_gpu_and_only_auto(nodes):
    nodes({"CPU": 16, "GPU": 2})
    assert grant(Resources(), trials_per_gpu=4) == Grant(1, 0.25, 8)
    assert grant(Resources(max_concurrent=5), trials_per_gpu=4) == Grant(1, 0.25, 5)
    assert grant(Resources(gpus_per_trial=0.5), trials_per_gpu=4) == Grant(1, 0.5, 4)
    nodes({"CPU": 16})
    assert grant(Resources(), trials_per_gpu=4) == Grant(1, 0, 16)


@pytest.mark.parametrize(
    ("most", "slots"),
    [
        pytest.param(None, 4, id="as-many-as-fit"),
        pytest.param(2, 2, id="fewer"),
        pytest.param(9, 4, id="no-more-than-fit"),
        pytest.param(0, 1, id="never-none"),
    ],
)
def test_fewer_slots_can_be_asked_for(nodes, most, slots):
    nodes({"CPU": 4})
    assert grant(Resources(), slots_at_most=most).slots == slots


@pytest.mark.parametrize(
    ("machines", "resources", "wants", "has"),
    [
        pytest.param(
            [{"CPU": 2}], Resources(cpus_per_trial=4), "4 CPUs and 0 GPUs", "2 and 0", id="cpus"
        ),
        pytest.param(
            [{"CPU": 2}], Resources(gpus_per_trial=1), "1 CPUs and 1 GPUs", "2 and 0", id="gpu"
        ),
        pytest.param(
            [{"CPU": 2}],
            Resources(gpus_per_trial=0.5),
            "1 CPUs and 0.5 GPUs",
            "2 and 0",
            id="fraction",
        ),
        pytest.param([None], Resources(), "1 CPUs and 0 GPUs", "0 and 0", id="no-machine"),
    ],
)
def test_too_much_is_refused_with_the_keys_to_lower(nodes, machines, resources, wants, has):
    nodes(*machines)
    with pytest.raises(MachineError, match=f"resources: a trial asks for {wants}") as caught:
        grant(resources)
    assert f"the largest machine has {has}" in caught.value.message
    assert "resources.cpus_per_trial" in caught.value.hint
    assert "--gpus-per-trial" in caught.value.hint


@pytest.mark.parametrize(
    ("granted", "num_jobs", "expected"),
    [
        pytest.param(Grant(1, 0, 8), 3, Grant(2, 0, 3), id="idle-cpus-are-shared-out"),
        pytest.param(Grant(1, 0, 8), 1, Grant(8, 0, 1), id="one-job-gets-all"),
        pytest.param(Grant(1, 0, 8), 8, Grant(1, 0, 8), id="as-many-as-fit"),
        pytest.param(Grant(1, 0, 2), 3, Grant(1, 0, 2), id="more-than-fit"),
        pytest.param(Grant(3, 0, 2), 1, Grant(6, 0, 1), id="what-two-trials-would-have-had"),
        pytest.param(Grant(1, 0, 2), 1, Grant(2, 0, 1), id="no-more-than-max-concurrent-left"),
    ],
)
def test_few_jobs_share_out_what_would_be_idle(nodes, granted, num_jobs, expected):
    nodes({"CPU": 8}, None)
    assert widen(granted, num_jobs) == expected


@pytest.mark.parametrize(
    ("num_gpus", "granted", "num_jobs", "gpus"),
    [
        pytest.param(8, Grant(1, 1, 8), 1, 1, id="a-whole-one-stays-one"),
        pytest.param(8, Grant(1, 0.125, 16), 3, 1, id="each-has-one-of-many"),
        pytest.param(1, Grant(1, 0.125, 8), 3, 1 / 3, id="three-on-the-only-one"),
        pytest.param(1, Grant(1, 0.125, 8), 1, 1, id="one-on-the-only-one"),
        pytest.param(2, Grant(1, 0.25, 8), 3, 0.5, id="two-on-one-one-on-the-other"),
        pytest.param(1, Grant(1, 0.25, 4), 4, 0.25, id="as-many-as-fit"),
        pytest.param(1, Grant(1, 0.25, 2), 3, 0.25, id="more-than-may-run"),
        pytest.param(1, Grant(4, 0.25, 4), 3, 1 / 3, id="cpus-are-enough"),
        pytest.param(2, Grant(5, 0.25, 3), 2, 1, id="cpus-of-the-machine-are-shared"),
    ],
)
def test_few_jobs_are_spread_over_gpus_that_ray_would_leave_idle(
    nodes, num_gpus, granted, num_jobs, gpus
):
    nodes({"CPU": 16, "GPU": num_gpus}, None)
    granted = replace(granted, gpu_name="H200", mps_pipe="/pipe")
    slots = min(num_jobs, granted.slots) if gpus > granted.gpus else granted.slots
    assert widen(granted, num_jobs) == replace(granted, gpus=gpus, slots=slots)


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        pytest.param(Grant(1, 0, 4), Crew(4, 1), id="on-cpus-all"),
        pytest.param(Grant(2.5, 0, 3), Crew(3, 2), id="threads-are-whole"),
        pytest.param(Grant(0.5, 0, 4), Crew(4, 1), id="one-thread-at-least"),
        pytest.param(Grant(1, 1, 8), Crew(1, 1), id="one-a-gpu"),
        pytest.param(Grant(1, 0.3, 6), Crew(3, 1), id="those-of-one-gpu"),
        pytest.param(Grant(1, 0.25, 2), Crew(2, 1), id="no-more-than-run"),
    ],
)
def test_a_crew_is_who_slow_each_other_down(granted, expected):
    assert granted.crew == expected
