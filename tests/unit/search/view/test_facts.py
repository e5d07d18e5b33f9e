import dataclasses
from datetime import datetime

import pytest

from search.study.progress import progress_of
from search.study.records import TrialRecord
from search.study.stages import Stage
from search.view.facts import (
    describe_best,
    describe_progress,
    describe_run,
    describe_runs,
    describe_speed,
    describe_times,
    describe_trial,
    moment,
    size,
)

NOW = datetime(2026, 11, 28, 23, 30)


def test_a_finished_trial_in_one_line(result):
    failed = TrialRecord(number=3, params={}, state="FAIL", stop_reason="worker-died")
    assert describe_trial(failed) == "t0003 FAIL (worker-died)"
    stopped = TrialRecord(
        number=4, params={}, state="PRUNED", stop_reason="rung 2", epochs={2: result(2)}
    )
    assert describe_trial(stopped) == "t0004 PRUNED (rung 2) val_accuracy 0.5000 at epoch 2"


def test_an_epoch_of_a_later_run_in_one_line(result):
    unjudged = dataclasses.replace(result(3), val_accuracy=None)
    assert describe_run("retrain", "seed0", unjudged, 10) == (
        "retrain seed0: epoch 3/10, train loss 1.250"
    )
    assert describe_run("confirm", "t0001-seed11", result(3), 10) == (
        "confirm t0001-seed11: epoch 3/10, val_accuracy 0.5000"
    )
    untold = dataclasses.replace(unjudged, train_loss=None)
    assert describe_run("retrain", "seed0", untold, 10) == "retrain seed0: epoch 3/10"


def test_a_stage_in_one_line(result):
    stage = Stage("retrain", ()).begun({"seed0": 4, "seed1": 4}, {"seed1"}, 1)
    assert describe_runs(stage.trained("seed0", result(3), 4)) == "1/2 runs, 3 of 4 epochs"


def test_a_study_in_one_line(busy):
    line = describe_progress(progress_of(busy), elapsed=9.0, epochs_before=3, now=NOW)
    assert line == (
        "3/6 trials (2 complete, 1 fail, 3 running), 12 of at most 21 epochs, "
        "best: t0001 0.7000, +0.3000 over the baseline, "
        "0:00:09 elapsed, at most 0:00:09 left (done by 23:30)"
    )


def test_the_best_is_told_shorter_where_there_is_no_room(busy):
    assert describe_best(progress_of(busy), is_short=True) == "t0001 0.7000, +0.3000"


@pytest.mark.parametrize(
    ("left", "is_bound", "expected"),
    [
        pytest.param(None, True, ["1:00 ago"], id="unknown"),
        pytest.param(
            60.0, True,
            ["1:00 ago, at most 0:01:00 left (done by 23:31)",
             "at most 0:01:00 left (done by 23:31)", "0:01:00 left, 23:31"],
            id="bound",
        ),
        pytest.param(
            90_000.4, False,
            ["1:00 ago, about 1 day, 1:00:00 left (done at Mon 30 Nov 00:30)",
             "about 1 day, 1:00:00 left (done at Mon 30 Nov 00:30)",
             "1 day, 1:00:00 left, Mon 30 Nov 00:30"],
            id="days",
        ),
    ],
)  # fmt: skip
def test_the_time_left_is_told_with_the_moment_it_ends(left, is_bound, expected):
    assert describe_times("1:00 ago", left, now=NOW, is_bound=is_bound) == expected


def test_the_speed_is_that_of_all_who_work(result):
    assert describe_speed([]) == ""
    assert describe_speed([result(1, speed=None)]) == ""
    assert describe_speed([result(1, speed=1234.5)]) == "1,234 images/s"
    assert describe_speed([result(1), result(2), result(3, speed=None)]) == (
        "2,000 images/s by 2 at once"
    )


def test_a_moment_of_another_day_has_its_day():
    assert moment(NOW, NOW) == "23:30"
    assert moment(datetime(2026, 11, 27, 9), NOW) == "Fri 27 Nov 09:00"


@pytest.mark.parametrize(
    ("num", "expected"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (20_062_720, "20.1 MB"), (3e9, "3 GB"),
     (4.56e13, "4.56e+04 GB")],
)  # fmt: skip
def test_an_amount_of_data(num, expected):
    assert size(num) == expected
