"""A slow node, a slow trial, a slow hour."""

import dataclasses

from fakes import CONFIG, HOST, make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.throughput import check_throughput
from search.study.sections import Domain

SLOW_NODE = dataclasses.replace(HOST, node="there")


def at(number, speed, host=HOST, first=None):
    """A trial at one speed, its first epoch apart."""
    return trial(number, [0.5] * 4, host=host, speeds=[first or speed / 10, speed, speed, speed])


def test_equal_speeds_pass_however_slow_the_first_epochs_were():
    found = check_throughput(make_snapshot([at(n, 1000 + n) for n in range(5)]))
    assert found.status is Status.PASS
    assert found.sentence == "5 trials on 1 device at 1,002 images/s, none of them slow"


def test_a_slow_node_is_named():
    trials = [at(0, 1000), at(1, 1000), at(2, 700, SLOW_NODE), at(3, 700, SLOW_NODE)]
    order = [(n, epoch) for epoch in range(1, 5) for n in range(4)]
    found = check_throughput(make_snapshot(trials, order=order))
    assert found.status is Status.WARNING
    assert found.sentence == "there (cpu) trains 700 images/s, here (cpu) 1,000"
    assert found.advice


def test_slow_trials_are_named_the_slowest_first():
    speeds = [1000, 500, 1000, 1000, 400, 1000, 1000]
    trials = [at(n, speed) for n, speed in enumerate(speeds)]
    found = check_throughput(make_snapshot(trials))
    assert found.status is Status.WARNING
    assert found.sentence.startswith("2 trials far below the speed usual on its device: ")
    assert found.sentence.endswith("t0004 at 40%, t0001 at 50%")


def test_where_the_batch_is_searched_trials_may_differ():
    config = dataclasses.replace(
        CONFIG, space={"batch_size": Domain(low=16, high=256)}, baseline={"batch_size": 128},
        recipes={},
    )  # fmt: skip
    trials = [dataclasses.replace(at(n, v), params={"batch_size": 128})
              for n, v in enumerate([1000, 1000, 500, 1000])]  # fmt: skip
    assert check_throughput(make_snapshot(trials)).status is Status.WARNING
    assert check_throughput(make_snapshot(trials, config)).status is Status.PASS


def test_a_search_that_slows_down_is_told():
    found = check_throughput(make_snapshot([at(n, 1000 - 70 * n) for n in range(6)]))
    assert found.status is Status.WARNING
    assert "the last third of the search ran at 71% of the speed of the first" in found.sentence


def test_without_speeds_there_is_nothing_to_warn_of():
    for trials in ([], [trial(0, [0.5])], [trial(0, [], host=None, state="RUNNING")]):
        found = check_throughput(make_snapshot(trials))
        assert found.status is Status.PASS
        assert "no trial has told yet" in found.sentence
