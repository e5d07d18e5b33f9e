"""What a plan warns of: each with its number and a remedy, and none where all is well."""

import dataclasses

import pytest

from search.study.caveats import caveats, clock
from search.study.config import loads
from search.study.forecast import Cost, Forecast, Machine, Range, Simulated, Stage
from search.study.space import StudyConfig

STUDY = """\
study: {num_trials: 64, min_epochs: 2, max_epochs: 8}
space: {dropout: {low: 0.0, high: 0.5}}
train: {warmup_epochs: 0}
baseline: {dropout: 0.2}
"""
FIXED = STUDY + "pruner: {rungs: fixed}\n"
SECOND = Range(1, 1, 1)
MACHINE = Machine(
    name="4 cores",
    cores=4,
    load=2.9,
    workers=4,
    threads=1,
    gpus=0,
    is_packing_open=False,
    free_bytes=10**10,
)
COST = Cost(
    device="cpu", dtype="float32", epoch_seconds=SECOND, seconds=SECOND.times(3600),
    stages=(Stage(name="search", seconds=SECOND.times(3600)),), gpu_hours=None,
)  # fmt: skip
SIMULATED = Simulated(
    num_searches=3, curves=("a",), sampler="tpe", epochs=SECOND, stopped=(), complete=SECOND
)
FORECAST = Forecast(
    machine=MACHINE, num_parameters=200_000, disk_bytes=10**9, simulated=SIMULATED, cost=COST
)


def told(text=STUDY, *, machine=None, cost=None, **changes):
    """What is told of the study on a machine that differs a little."""
    forecast = dataclasses.replace(
        FORECAST,
        machine=dataclasses.replace(MACHINE, **(machine or {})),
        cost=dataclasses.replace(COST, **(cost or {})),
    )
    return caveats(loads(text, StudyConfig), dataclasses.replace(forecast, **changes))


def test_where_all_is_well_nothing_is_told():
    assert told() == []


def test_hours_that_end_the_search_early_are_told():
    text = STUDY.replace("max_epochs: 8", "max_epochs: 8, max_hours: 1.0")
    (line,) = told(text)
    assert line.startswith("study.max_hours ends the search after 1 h, before its last trial;")
    assert told(text.replace("1.0", "1.1")) == []


def test_a_study_of_days_is_told_with_the_length_of_an_epoch():
    (line,) = told(cost={"epoch_seconds": SECOND.times(150), "seconds": SECOND.times(9 * 86400)})
    assert line.startswith("an epoch takes 2.5 min on this CPU: this study takes 9.0 days; ")
    assert "study.max_epochs" in line


def test_a_study_of_days_names_the_gpu():
    cost = {"device": "cuda NVIDIA H200", "seconds": SECOND.times(86401)}
    (line,) = told(cost=cost, machine={"gpus": 1})
    assert "on this GPU (NVIDIA H200): this study takes 24 h;" in line


def test_an_epoch_longer_than_its_timeout_is_told():
    text = STUDY + "resources: {epoch_timeout: 5}\n"
    assert told(text) == []
    (line,) = told(text, cost={"epoch_seconds": SECOND.times(6)})
    assert line.startswith("an epoch takes 6.0 s and resources.epoch_timeout is 5 s: every trial")


def test_a_full_network_without_a_gpu_is_told():
    (line,) = told(num_parameters=2_818_122)
    assert line.startswith("no GPU for a network of 2,818,122 parameters: an epoch takes 1.0 s;")
    assert told(num_parameters=2_818_122, machine={"gpus": 1}) == []


def test_a_full_disk_is_told_as_the_search_would():
    (line,) = told(machine={"free_bytes": 10**9 - 1})
    assert line.startswith("not enough space: 999 MB free, 1000 MB needed;")
    assert "--results" in line


def test_a_busy_machine_is_told_with_its_load():
    assert told(machine={"load": 3.0}) == []
    (line,) = told(machine={"load": 3.06})
    assert line.startswith("others kept this machine busy (load 3.1, 4 cores): the hours are those")


@pytest.mark.parametrize(
    ("sampler", "workers", "is_told"),
    [
        pytest.param("tpe", 16, False, id="a-quarter"),
        pytest.param("tpe", 17, True, id="more"),
        pytest.param("gp", 17, True, id="gp-learns-too"),
        pytest.param("random", 64, False, id="random-learns-nothing"),
        pytest.param("qmc", 64, False, id="sobol-learns-nothing"),
    ],
)
def test_many_workers_for_few_trials_are_told(sampler, workers, is_told):
    lines = told(f"{FIXED}sampler: {{name: {sampler}}}\n", machine={"workers": workers})
    assert len(lines) == is_told
    if is_told:
        assert lines[0].startswith("17 at once are more than a quarter of 64 trials: ")
        assert "--max-concurrent 16, or --num-trials 68" in lines[0]


def test_rungs_that_are_chosen_too_late_are_told():
    text = STUDY + "pruner: {rungs: auto, num_exempt: 8}\nsampler: {name: random}\n"
    assert told(text, machine={"workers": 31}) == []
    (line,) = told(text, machine={"workers": 32})
    assert line.startswith("rungs: auto comes late: by its choice 32 of 64 trials have run whole;")


def test_a_machine_that_cannot_be_timed_is_told_why():
    (line,) = caveats(
        loads(STUDY, StudyConfig), dataclasses.replace(FORECAST, cost=None, problem="no GPU here")
    )
    assert line == "no epoch was timed here (no GPU here), so there are no hours"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.034, "0.03 s"), (1.04, "1.0 s"), (9.96, "10 s"), (119, "119 s"), (120, "2.0 min"),
        (7199, "120 min"), (7200, "2.0 h"), (86400, "24 h"), (9.2 * 86400, "9.2 days"),
    ],
)  # fmt: skip
def test_a_duration_is_in_the_unit_that_fits(seconds, text):
    assert clock(seconds) == text
