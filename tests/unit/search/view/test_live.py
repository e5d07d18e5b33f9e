import dataclasses
import io
import re

import pytest
from optuna.storages import InMemoryStorage
from rich.console import Console
from rich.live import Live

from fakes import HOST
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.progress import progress_of
from search.study.records import TrialRecord
from search.view import live
from search.view.live import (
    View,
    describe_progress,
    describe_run,
    describe_trial,
    watch,
)
from seresnet.epoch import EpochResult


def result(epoch, value=0.5, *, seconds=2.0):
    numbers = {"train_loss": 1.25, "val_loss": 1.0, "lr": 0.1, "seconds": seconds}
    return EpochResult(
        epoch=epoch, val_accuracy=value, val_accuracy_raw=value, images_per_second=1, **numbers
    )


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


def run(ledger, *values):
    number = ledger.suggest().number
    for epoch, value in enumerate(values, 1):
        ledger.report(number, result(epoch, value), HOST, attempt=1)
    return number


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when a test says so."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    return clock


def plain_view(ledger):
    console = Console(file=io.StringIO(), width=40)
    view = View(ledger, console)
    ledger.observe = view.trial_changed
    return view, lambda: console.file.getvalue().splitlines()


def test_off_a_terminal_a_line_tells_of_each_finished_trial(ledger, clock):
    _, lines = plain_view(ledger)
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    clock.now += 8
    run(ledger, 0.2, 0.3, 0.5, 0.6)
    ledger.fail(run(ledger), kind="diverged", error="diverged in epoch 1: loss not finite")
    assert lines() == [
        "t0000 baseline COMPLETE (max_epochs) val_accuracy 0.4000 at epoch 4 | 1/6 trials "
        "(1 complete), 4 of at most 24 epochs, best: t0000 0.4000, +0.0000 over the baseline, "
        "0:00:00 elapsed, at most 0:00:00 left",
        "t0001 plain COMPLETE (max_epochs) val_accuracy 0.6000 at epoch 4 | 2/6 trials "
        "(2 complete), 8 of at most 24 epochs, best: t0001 0.6000, +0.2000 over the baseline, "
        "0:00:08 elapsed, at most 0:00:16 left",
        "t0002 FAIL (diverged in epoch 1: loss not finite) | 3/6 trials (2 complete, 1 fail), "
        "8 of at most 20 epochs, best: t0001 0.6000, +0.2000 over the baseline, "
        "0:00:08 elapsed, at most 0:00:12 left",
    ]


def test_off_a_terminal_epochs_alone_are_told_of_now_and_then(ledger, clock):
    _, lines = plain_view(ledger)
    number = run(ledger, 0.1)
    assert lines() == []
    clock.now += 31
    ledger.report(number, result(2), HOST, attempt=1)
    assert lines() == [
        "0/6 trials (1 running), 2 of at most 24 epochs, best: no full trial yet, "
        "0:00:31 elapsed, at most 0:05:41 left"
    ]
    ledger.report(number, result(3), HOST, attempt=1)
    assert len(lines()) == 1


def test_off_a_terminal_a_retraining_tells_of_its_end(ledger, clock):
    view, lines = plain_view(ledger)
    view.trained("retrain", "seed0", result(1), 3)
    view.trained("retrain", "seed0", result(2), 3)
    assert lines() == []
    clock.now += 31
    view.trained("retrain", "seed1", result(1), 3)
    view.trained("retrain", "seed0", result(3), 3)
    assert [line.partition(",")[0] for line in lines()] == [
        "retrain seed1: epoch 1/3",
        "retrain seed0: epoch 3/3",
    ]


def test_what_a_worker_says_is_shown_as_it_is(ledger, clock):
    _, lines = plain_view(ledger)
    error = "ValueError: [red]no[/red] [/oops] \\[x] 100%"
    ledger.fail(run(ledger), kind="exception", error=error)
    assert f"({error})" in lines()[0]


def test_plain_lines_carry_no_control_codes(ledger, clock):
    _, lines = plain_view(ledger)
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    assert all(line.isprintable() for line in lines())


def test_a_trial_that_is_paused_is_told_and_counted_apart(study_config):
    times = iter([0.0, 1.0, 9.0])
    config = with_budget(study_config, max_hours=5 / 3600)
    ledger = Ledger.open(InMemoryStorage(), config, clock=lambda: next(times))
    view, lines = plain_view(ledger)
    run(ledger, 0.4, 0.5)
    line = lines()[-1]
    assert line.startswith("t0000 baseline PRUNED (budget) val_accuracy 0.5000 at epoch 2 | ")
    assert "0/6 trials (1 paused), 2 of at most 2 epochs" in line
    assert "budget the budget of 0.00138889 hours is used" in rendered(view, 120)


def rendered(view, width):
    """Return what a terminal of this width shows, without colours and with single spaces."""
    console = Console(file=io.StringIO(), width=width, height=25, force_terminal=True)
    console.print(view)
    text = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
    assert all(len(line) <= width for line in text.splitlines())
    return " ".join(text.split())


@pytest.fixture
def busy(ledger):
    """A study in the middle: trials of each state, three of them running."""
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    run(ledger, 0.4, 0.5, 0.6, 0.7)
    ledger.fail(run(ledger, 0.1), kind="diverged", error="")
    for _ in range(3):
        run(ledger, 0.6)
    return ledger


@pytest.mark.parametrize("width", [80, 40, 20])
def test_a_terminal_shows_the_incumbent_and_what_runs(busy, width):
    view = View(busy, Console(file=io.StringIO(), force_terminal=True, width=width))
    shown = rendered(view, width)
    if width >= 40:
        assert "best t0001 0.7000, +0.3000" in shown
        assert "3/6 trials" in shown
    assert all(name in shown for name in ("t0003", "t0004", "t0005"))
    assert "t0002" not in shown


def test_a_terminal_wide_enough_shows_every_fact_in_its_line(busy):
    shown = rendered(View(busy, Console(file=io.StringIO(), force_terminal=True)), 80)
    for fact in (
        "12 of at most 21 epochs",
        "3/6 trials (2 complete, 1 fail, 3 running)",
        "best t0001 0.7000, +0.3000 over the baseline",
        "0:00:00 elapsed",
        "val_accuracy 0.6000 at epoch 1",
    ):
        assert fact in shown


@pytest.mark.parametrize("width", [80, 40])
def test_a_terminal_shows_each_retraining(ledger, width):
    view = View(ledger, Console(file=io.StringIO(), force_terminal=True, width=width))
    view.trained("retrain", "seed1", result(1), 3)
    view.trained("retrain", "seed0", result(3), 3)
    shown = rendered(view, width)
    assert shown.index("seed0: epoch 3/3") < shown.index("seed1: epoch 1/3")
    view.trained("retrain", "seed1", result(2), 3)
    assert "seed1: epoch 2/3" in rendered(view, width)


def test_a_study_of_no_trials_yet_can_be_shown(ledger):
    view = View(ledger, Console(file=io.StringIO(), force_terminal=True))
    assert "no full trial yet" in rendered(view, 40)


@pytest.mark.parametrize("width", [80, 40])
def test_the_live_view_follows_the_study(ledger, width):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=25)
    view = View(ledger, console)
    ledger.observe = view.trial_changed
    with Live(get_renderable=view.__rich__, console=console, auto_refresh=False) as shown:
        run(ledger, 0.1, 0.2, 0.3, 0.4)
        shown.refresh()
        assert "t0000" in file.getvalue()
        assert "t0001" not in file.getvalue()
        run(ledger, 0.4, 0.5, 0.6, 0.7)
        shown.refresh()
        assert "t0001" in file.getvalue()


def test_watch_writes_plain_lines_to_stderr_where_it_is_no_terminal(ledger, capsys):
    with watch(ledger) as view:
        ledger.observe = view.trial_changed
        run(ledger, 0.1, 0.2, 0.3, 0.4)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("t0000 baseline COMPLETE (max_epochs)")
    assert len(told.err.splitlines()) == 1


def test_watch_draws_on_stderr_where_it_is_a_terminal(ledger, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    with watch(ledger) as view:
        ledger.observe = view.trial_changed
        run(ledger, 0.1, 0.2, 0.3, 0.4)
    told = capsys.readouterr()
    assert told.out == ""
    assert "\x1b[" in told.err
    assert "t0000" in told.err


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        pytest.param(
            TrialRecord(number=3, params={}, state="FAIL", stop_reason="worker-died"),
            "t0003 FAIL (worker-died)",
            id="no-epochs",
        ),
        pytest.param(
            TrialRecord(
                number=4, params={}, state="PRUNED", stop_reason="rung 2", epochs={2: result(2)}
            ),
            "t0004 PRUNED (rung 2) val_accuracy 0.5000 at epoch 2",
            id="stopped",
        ),
    ],
)
def test_a_finished_trial_in_one_line(trial, expected):
    assert describe_trial(trial) == expected


def test_a_retraining_in_one_line():
    judged = result(3, seconds=61.0)
    unjudged = dataclasses.replace(judged, val_accuracy=None)
    assert describe_run("retrain", "seed0", unjudged, 10) == (
        "retrain seed0: epoch 3/10, train loss 1.250, about 0:07:07 left"
    )
    assert describe_run("confirm", "t0001-seed11", judged, 10) == (
        "confirm t0001-seed11: epoch 3/10, val_accuracy 0.5000, about 0:07:07 left"
    )


def test_a_terminal_shows_the_runs_of_one_stage_alone(ledger):
    view = View(ledger, Console(file=io.StringIO(), force_terminal=True))
    view.trained("confirm", "t0001-seed11", result(3), 3)
    assert "confirm t0001-seed11" in rendered(view, 80)
    view.trained("retrain", "seed0", result(1), 3)
    shown = rendered(view, 80)
    assert "retrain seed0" in shown
    assert "confirm" not in shown


def test_a_day_and_more_is_told_in_days(ledger):
    run(ledger, 0.5)
    progress = dataclasses.replace(progress_of(ledger), epochs_most=3)
    line = describe_progress(progress, elapsed=90_061.4, epochs_before=0)
    assert line.endswith("1 day, 1:01:01 elapsed, at most 2 days, 2:02:03 left")
