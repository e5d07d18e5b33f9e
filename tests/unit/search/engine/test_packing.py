"""Which number of trials a GPU is chosen, what is tried for it, and what of it is kept."""

import json

import pytest

from search.engine.mps import MpsRefusedError
from search.engine.packing import Packing, Row, candidates, choose, settle

SHAPE = {"channels": [8, 8, 16, 16], "batch_size": 128, "precision": "fp32", "cpus_per_trial": 1}
WANTED = Packing("H200", SHAPE, (1, 2, 4))


class FakeDaemon:
    """Counts its starts and ends; refuses where a reason is given."""

    def __init__(self, refusal=""):
        self.refusal, self.calls = refusal, []

    def start(self):
        if self.refusal:
            raise MpsRefusedError(self.refusal)
        self.calls.append("start")
        return "/pipe"

    def stop(self):
        self.calls.append("stop")


def row(trials, speed, *, mps=False, used=1.0, problem=""):
    return Row(trials, mps, speed, used, 10.0, problem)


def meter(speeds, asked):
    """A measurement: images a second by (trials, whether with MPS); a text is a problem."""

    def measure(trials, pipe):
        asked.append((trials, pipe is not None))
        speed = speeds[trials, pipe is not None]
        if isinstance(speed, str):
            return row(trials, 0.0, mps=pipe is not None, problem=speed)
        return row(trials, speed, mps=pipe is not None)

    return measure


def run(speeds, *, wanted=WANTED, earlier=(), daemon=None):
    """Settle; return the packing, the pipe, what was measured and what was said."""
    asked, said = [], []
    daemon = daemon or FakeDaemon("no such program")
    packing, pipe = settle(wanted, earlier, daemon, meter(speeds, asked), said.append)
    return packing, pipe, asked, said


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([row(1, 100), row(2, 150), row(4, 180)], (4, False), id="most-images"),
        pytest.param([row(1, 100), row(2, 150), row(4, 120)], (2, False), id="more-is-slower"),
        pytest.param([row(1, 100), row(2, 103)], (1, False), id="equal-within-noise"),
        pytest.param([row(1, 100), row(2, 104)], (2, False), id="beyond-noise"),
        pytest.param([row(2, 104), row(1, 102)], (1, False), id="order-does-not-matter"),
        pytest.param([row(1, 100), row(2, 150, used=9.1)], (1, False), id="memory-nearly-full"),
        pytest.param([row(1, 100), row(2, 150, used=9.0)], (2, False), id="memory-just-enough"),
        pytest.param([row(1, 100), row(2, 0, problem="crash")], (1, False), id="crash"),
        pytest.param([row(1, 100), row(2, 110), row(2, 150, mps=True)], (2, True), id="mps"),
        pytest.param([row(2, 148), row(2, 150, mps=True)], (2, False), id="mps-gains-nothing"),
        pytest.param([Row(1, images_per_second=5.0)], (1, False), id="memory-unknown"),
    ],
)
def test_most_images_a_second_within_memory_win(rows, expected):
    best = choose(rows)
    assert (best.trials, best.is_mps) == expected


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no-row"),
        pytest.param([row(1, 0, problem="no GPU")], id="failed"),
        pytest.param([row(1, 100, used=9.5)], id="full"),
    ],
)
def test_where_nothing_is_possible_nothing_is_chosen(rows):
    assert choose(rows) is None
    assert Packing("H200", SHAPE, (1, 2), tuple(rows)).choice.trials == 1


@pytest.mark.parametrize(
    ("nodes", "cpus", "concurrent", "expected"),
    [
        pytest.param([{"CPU": 16, "GPU": 1}], 1, 64, (1, 2, 4, 8), id="all"),
        pytest.param([{"CPU": 16, "GPU": 1}], 4, 64, (1, 2, 4), id="cpus-of-a-trial"),
        pytest.param([{"CPU": 16, "GPU": 4}], 1, 64, (1, 2, 4), id="cpus-beside-each-gpu"),
        pytest.param([{"CPU": 15, "GPU": 4}], 1, 64, (1, 2), id="not-quite-four"),
        pytest.param([{"CPU": 3}, {"CPU": 2, "GPU": 1}], 1, 64, (1, 2), id="cpus-elsewhere"),
        pytest.param([{"CPU": 1, "GPU": 1}], 1, 64, (1,), id="one-cpu"),
        pytest.param([{"CPU": 8, "GPU": 8}], 4, 64, (1,), id="not-even-one-each"),
        pytest.param([{"CPU": 4, "GPU": 1}], 0.5, 64, (1, 2, 4, 8), id="half-a-cpu"),
        pytest.param([{"CPU": 16, "GPU": 1}], 1, 3, (1, 2), id="three-at-once"),
        pytest.param([{"CPU": 16, "GPU": 1}], 1, 1, (1,), id="one-at-once"),
        pytest.param([{"CPU": 64, "GPU": 4}], 1, 8, (1, 2), id="no-gpu-idle"),
        pytest.param([{"CPU": 64, "GPU": 4}], 1, 4, (1,), id="a-gpu-each"),
        pytest.param([{"CPU": 4, "GPU": 2}, {"CPU": 8, "GPU": 2}], 1, 64, (1, 2, 4), id="mixed"),
    ],
)  # fmt: skip
def test_only_what_the_machines_and_the_search_have_use_for_is_tried(
    nodes, cpus, concurrent, expected
):
    assert candidates(nodes, cpus=cpus, concurrent=concurrent) == expected


def test_every_candidate_that_gains_is_tried_and_told():
    packing, pipe, asked, said = run({(1, False): 100, (2, False): 190, (4, False): 300})
    assert asked == [(1, False), (2, False), (4, False)]
    assert (packing.choice.trials, pipe) == (4, None)
    assert packing.mps == "no such program"
    assert said[0].startswith("trials a GPU: trying 1, 2, 4 on one H200")
    assert "trials a GPU: MPS no such program" in said
    assert "trials a GPU: 2 on a GPU: 190 images/s, 1.0 of 10.0 GiB" in said
    assert said[-1].startswith("trials a GPU: going on with 4 on a GPU: 300 images/s")


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(101, "1 on a GPU: 100", id="no-gain"),
        pytest.param("OutOfMemoryError: full", "1 on a GPU: 100", id="out-of-memory"),
    ],
)
def test_larger_ones_are_not_tried_once_one_gains_nothing(second, expected):
    packing, _, asked, said = run({(1, False): 100, (2, False): second})
    assert asked == [(1, False), (2, False)]
    assert str(packing.choice).startswith(expected)
    assert second == 101 or f"trials a GPU: 2 on a GPU: {second}" in said


def test_a_gpu_that_cannot_even_hold_one_is_left_to_the_trials():
    packing, pipe, asked, _ = run({(1, False): "OutOfMemoryError: full"})
    assert (asked, packing.choice.trials, pipe) == ([(1, False)], 1, None)


def test_several_are_tried_with_and_without_mps_and_its_daemon_stays_where_it_wins():
    speeds = {(1, False): 100, (2, False): 101, (2, True): 150, (4, False): 99, (4, True): 250}
    daemon = FakeDaemon()
    packing, pipe, asked, said = run(speeds, daemon=daemon)
    assert asked == [(1, False), (2, False), (2, True), (4, False), (4, True)]
    assert (packing.choice.trials, packing.choice.is_mps, packing.mps) == (4, True, "tried")
    assert (pipe, "stop" in daemon.calls) == ("/pipe", False)
    assert "trials a GPU: 2 on a GPU with MPS: 150 images/s, 1.0 of 10.0 GiB" in said


def test_the_daemon_is_ended_where_mps_does_not_win():
    speeds = {(1, False): 100, (2, False): 150, (2, True): "died", (4, False): 90, (4, True): 140}
    daemon = FakeDaemon()
    packing, pipe, _, _ = run(speeds, daemon=daemon)
    assert (packing.choice.trials, packing.choice.is_mps, pipe) == (2, False, None)
    assert daemon.calls == ["start", "stop"]


def record(speeds, **options):
    """What a start leaves, as it is read back from its file."""
    return json.loads(json.dumps(run(speeds, **options)[0].as_record(), allow_nan=False))


def test_a_later_start_takes_the_choice_without_measuring():
    first = record({(1, False): 100, (2, False): 190, (4, False): 195})
    packing, _, asked, said = run({}, earlier=["odd", first])
    assert asked == []
    assert packing.choice == row(2, 190)
    assert said == [
        f"trials a GPU: going on with {row(2, 190)}, as measured on {first['measured']}"
    ]
    again = packing.as_record()
    assert {**again, "is_reused": False} == first
    assert again["is_reused"] is True
    assert run({}, earlier=[again])[0] == packing


def test_a_later_start_starts_the_daemon_that_the_choice_needs_or_does_without():
    speeds = {(1, False): 100, (2, False): 130, (2, True): 150, (4, False): 90, (4, True): 90}
    first = record(speeds, daemon=FakeDaemon())
    packing, pipe, asked, _ = run({}, earlier=[first], daemon=FakeDaemon())
    assert (pipe, packing.choice.is_mps, asked) == ("/pipe", True, [])
    packing, pipe, asked, _ = run({}, earlier=[first])
    assert (pipe, packing.choice, asked) == (None, row(2, 130), [])
    # what one start had to do without is there for the next
    later = json.loads(json.dumps(packing.as_record()))
    assert run({}, earlier=[later], daemon=FakeDaemon())[1] == "/pipe"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"gpu": "A100"}, id="another-gpu"),
        pytest.param({"shape": {**SHAPE, "batch_size": 256}}, id="another-shape"),
        pytest.param({"candidates": [1, 2]}, id="other-candidates"),
        pytest.param({"rows": []}, id="nothing-measured"),
        pytest.param({"rows": [{"trials": 3, "images_per_second": 9.0}]}, id="no-candidate"),
        pytest.param({"rows": [{"trials": "2", "images_per_second": "9"}]}, id="not-numbers"),
        pytest.param({"rows": [{"speed": 9}]}, id="other-columns"),
        pytest.param({"rows": 5}, id="no-rows"),
        pytest.param({"shape": 5}, id="no-shape"),
        pytest.param({"candidates": None}, id="no-candidates"),
        pytest.param({"odd": 1}, id="another-key"),
    ],
)
def test_what_was_measured_for_something_else_or_edited_is_measured_anew(change):
    speeds = {(1, False): 100, (2, False): 100}
    changed = {**record({(1, False): 100, (2, False): 190, (4, False): 90}), **change}
    packing, _, asked, _ = run(speeds, earlier=[changed])
    assert asked == [(1, False), (2, False)]
    assert not packing.is_reused
