import dataclasses

import pytest
from optuna.storages import InMemoryStorage

from fakes import run
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.progress import progress_of, seconds_left


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; two of them are known settings."""
    return Ledger.open(InMemoryStorage(), study_config)


def test_a_study_that_has_not_begun_costs_at_most_every_epoch(ledger):
    progress = progress_of(ledger)
    assert (progress.num_trials, progress.max_epochs) == (6, 4)
    assert (progress.epochs_done, progress.epochs_most) == (0, 24)
    assert (progress.states, progress.running, progress.incumbent) == ({}, [], None)
    assert progress.gain is None


def test_every_trial_is_counted_in_its_state(ledger):
    run(ledger, 0.1, 0.2, 0.3, 0.4)  # the baseline
    ledger.fail(run(ledger, 0.5), kind="diverged", error="")
    run(ledger, 0.4, 0.5, 0.6, 0.7)
    run(ledger, 0.1, 0.1)  # stopped
    running = run(ledger, 0.3)
    progress = progress_of(ledger)
    assert progress.states == {"COMPLETE": 2, "FAIL": 1, "PRUNED": 1, "RUNNING": 1}
    assert [t.number for t in progress.running] == [running]
    assert progress.epochs_done == 4 + 1 + 4 + 2 + 1
    assert progress.epochs_most == progress.epochs_done + 3 + 4
    assert progress.incumbent.number == 2
    assert progress.gain == pytest.approx(0.3)


def test_the_upper_bound_is_never_passed_and_only_sinks(ledger):
    bounds, done = [24], [0]

    def observe(_):
        progress = progress_of(ledger)
        bounds.append(progress.epochs_most)
        done.append(progress.epochs_done)

    ledger.observe = observe
    for number in range(6):
        run(ledger, *(0.9 - 0.1 * number for _ in range(4)))
        if not ledger.trials[number].is_finished:
            ledger.fail(number, kind="diverged", error="")
    assert bounds == sorted(bounds, reverse=True)
    assert done == sorted(done)
    assert bounds[-1] == done[-1] < 24


@pytest.mark.parametrize("kind", ["failed", "running"])
def test_there_is_no_gain_without_a_complete_baseline(ledger, kind):
    number = run(ledger, 0.5)
    if kind == "failed":
        ledger.fail(number, kind="diverged", error="")
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    progress = progress_of(ledger)
    assert progress.incumbent.number == 1
    assert progress.gain is None


def test_the_baseline_gains_nothing_over_itself(ledger):
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    assert progress_of(ledger).gain == 0


def test_a_study_cut_down_below_what_has_run_counts_what_has_run(ledger):
    for _ in range(3):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    fewer = dataclasses.replace(ledger.config.study, num_trials=2)
    ledger.config = dataclasses.replace(ledger.config, study=fewer)
    progress = progress_of(ledger)
    assert (progress.num_trials, progress.epochs_most) == (3, 12)


def limited(ledger, **budget):
    return Ledger.open(InMemoryStorage(), with_budget(ledger.config, **budget))


def test_the_upper_bound_keeps_to_the_budget_of_epochs(ledger):
    ledger = limited(ledger, max_total_epochs=14)
    assert progress_of(ledger).epochs_most == 14
    for _ in range(2):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    assert (progress_of(ledger).epochs_most, progress_of(ledger).budget) == (14, "")
    run(ledger, 0.6, 0.6, 0.6, 0.6)
    progress = progress_of(ledger)
    assert (progress.epochs_done, progress.epochs_most) == (12, 12)
    assert progress.budget == (
        "the budget of 14 epochs is used: 3 trials were not begun; "
        "raise study.max_total_epochs, then run the same command"
    )


def test_trials_that_wait_for_more_hours_are_counted_apart(ledger):
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, ledger.config)
    run(ledger, 0.5, 0.5)
    run(ledger, 0.5)
    ledger.keep_time()
    late = Ledger.open(storage, with_budget(ledger.config, max_hours=1e-12))
    progress = progress_of(late)
    assert (progress.states, progress.running) == ({"PAUSED": 2}, [])
    assert (progress.epochs_done, progress.epochs_most) == (3, 3)
    assert progress.budget == (
        "the budget of 1e-12 hours is used: 2 trials wait, 4 trials were not begun; "
        "raise study.max_hours, then run the same command"
    )


def test_all_trials_at_their_end_leave_no_word_on_the_budget(ledger):
    ledger = limited(ledger, max_total_epochs=24)
    for _ in range(6):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    assert progress_of(ledger).budget == ""


def test_the_rest_takes_no_longer_than_the_hours_that_are_left(ledger):
    ledger = limited(ledger, max_hours=10)
    run(ledger, 0.5, 0.5)
    progress = dataclasses.replace(progress_of(ledger), seconds_most=30.0)
    assert seconds_left(progress, elapsed=2.0, epochs_before=0) == 22
    assert seconds_left(progress, elapsed=20.0, epochs_before=0) == 30
    assert 35_999 < progress_of(ledger).seconds_most < 36_000


@pytest.mark.parametrize(
    ("epochs_before", "elapsed", "expected"),
    [
        pytest.param(0, 10.0, 36.0, id="from-the-start"),  # 5 epochs in 10 s, 18 are left
        pytest.param(4, 10.0, 180.0, id="earlier-starts-do-not-count"),
        pytest.param(5, 10.0, None, id="nothing-new-yet"),
        pytest.param(6, 10.0, None, id="never-negative"),
    ],
)
def test_the_rest_is_estimated_at_this_starts_pace(ledger, epochs_before, elapsed, expected):
    run(ledger, 0.5, 0.5, 0.5, 0.5)
    ledger.fail(run(ledger, 0.5), kind="diverged", error="")
    run(ledger)
    progress = dataclasses.replace(progress_of(ledger), epochs_most=23)
    assert seconds_left(progress, elapsed=elapsed, epochs_before=epochs_before) == expected


def test_a_finished_study_has_no_seconds_left(ledger):
    for _ in range(6):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    assert seconds_left(progress_of(ledger), elapsed=9.0, epochs_before=0) == 0
