"""A plan as it is printed."""

import dataclasses

import pytest

from fakes import CONFIG
from search.study.forecast import Cost, Forecast, Machine, Range, Simulated, Stage
from search.view.plan import describe_plan, describe_study

MINUTE = Range(50, 60, 75)
FORECAST = Forecast(
    machine=Machine(
        name="8 cores of AMD EPYC", cores=8, load=0.5, workers=2, threads=4, gpus=0,
        is_packing_open=False,
        free_bytes=9_000_000_000,
    ),
    num_parameters=177_690,
    disk_bytes=76_793_680,
    simulated=Simulated(
        num_searches=60, curves=("flat", "steep"), sampler="tpe", epochs=Range(20, 24, 28),
        stopped=((1, Range(0.1, 0.25, 0.5)),), complete=Range(0.4, 0.5, 0.6),
    ),
    cost=Cost(
        device="cpu", dtype="bfloat16", epoch_seconds=Range(9, 10, 12.34),
        stages=(
            Stage(name="search", seconds=MINUTE.times(20)),
            Stage(name="retraining", seconds=MINUTE.times(10)),
        ),
        seconds=MINUTE.times(30), gpu_hours=None,
    ),
)  # fmt: skip


def described(*, price=None, is_elsewhere=False, config=CONFIG, machine=None, cost=None):
    forecast = dataclasses.replace(
        FORECAST,
        machine=dataclasses.replace(FORECAST.machine, **(machine or {})),
        cost=dataclasses.replace(FORECAST.cost, **(cost or {})),
    )
    return describe_plan(config, forecast, price=price, is_elsewhere=is_elsewhere)


def test_a_plan_is_a_table_of_comments():
    assert described().splitlines() == [
        "# the plan, of this machine: 8 cores of AMD EPYC, 2 at once with 4 threads each",
        "# an epoch of a trial: 10 s (9.0 s to 12 s), timed on cpu in bfloat16, 2 at once",
        "# first: baseline, bare (never stopped), then at least 1 at random, then what tpe "
        "suggests",
        "# simulated 60 times, suggestions by tpe, curves of flat, steep;",
        "# one case in ten lies below the first number, one above the last:",
        "#                       10%      median  90%",
        "#   stopped at epoch 1  10%      25%     50%",
        "#   complete            40%      50%     60%",
        "#   epochs              20       24      28      of 32 without stopping",
        "#   search              17 min   20 min  25 min",
        "#   retraining          8.3 min  10 min  12 min",
        "#   whole command       25 min   30 min  38 min",
        "# disk: 77 MB asked for, 9,000 MB free",
    ]


def test_gpus_are_told_in_hours_and_money_if_there_is_a_price():
    machine, cost = {"gpus": 0.5, "is_packing_open": True}, {"gpu_hours": Range(1, 2, 3000)}
    without = described(machine=machine, cost=cost)
    assert "2 at once with 0.5 GPU each; how many trials share a GPU is measured at" in without
    assert "GPU-hours           1.00     2.00    3,000.00" in without
    assert "money" not in without
    priced = described(machine=machine, cost=cost, price=2.5)
    assert priced.splitlines()[-2].split() == [
        "#", "money", "2.50", "5.00", "7,500.00", "at", "2.5", "an", "hour"
    ]  # fmt: skip
    assert "# money: none, since no GPU is held here" in described(price=2.5).splitlines()


def test_without_a_timing_there_are_epochs_and_no_hours():
    forecast = dataclasses.replace(FORECAST, cost=None, problem="no room")
    text = describe_plan(CONFIG, forecast, price=1, is_elsewhere=False)
    assert "epochs              20   24      28   of 32 without stopping" in text
    assert "whole command" not in text
    assert "an epoch of a trial" not in text


def test_the_machine_of_a_plan_is_never_the_cluster():
    text = described(is_elsewhere=True)
    assert text.startswith("# the plan, of this machine, not of the cluster at --address: 8 cores")


@pytest.mark.parametrize(
    ("num_trials", "sampler", "first"),
    [
        pytest.param(8, "random", "baseline, bare (never stopped), then what random", id="random"),
        pytest.param(2, "tpe", "baseline, bare (never stopped)", id="known-alone"),
    ],
)
def test_what_runs_first_depends_on_the_study(num_trials, sampler, first):
    config = dataclasses.replace(
        CONFIG,
        study=dataclasses.replace(CONFIG.study, num_trials=num_trials),
        sampler=dataclasses.replace(CONFIG.sampler, name=sampler),
    )
    (line,) = [each for each in described(config=config).splitlines() if "first:" in each]
    assert line.startswith(f"# first: {first}")
    assert line.endswith("suggests") == (num_trials > 2)


def test_a_study_is_described_by_its_rungs_and_most_epochs():
    assert describe_study(CONFIG).splitlines() == [
        "# trials may be stopped after epochs: 1, 2",
        "# search: at most 32 epochs (8 x 4)",
        "# confirm: at most 48 epochs (12 runs x 4)",
        "# retrain: 750 epochs (3 seeds x 250)",
    ]
