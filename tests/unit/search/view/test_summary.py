import dataclasses

import pytest
from optuna.storages import InMemoryStorage

from fakes import run
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.progress import progress_of
from search.view.summary import best_rows, describe_study, record_of


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


def test_the_best_stand_first_with_their_gain_and_the_totals_last(ledger):
    run(ledger, 0.1, 0.2, 0.3, 0.5)
    run(ledger, 0.1, 0.2, 0.3, 0.625)
    assert run(ledger, 0.1, 0.1) == 2  # stopped
    ledger.fail(run(ledger, 0.9), kind="diverged", error="")
    assert describe_study(ledger).splitlines() == [
        "trial  name      val_accuracy  gain     dropout  warmup_epochs",
        "t0001  plain     0.6250        +0.1250  0        0",
        "t0000  baseline  0.5000        +0.0000  0.2      1",
        "4 trials (2 COMPLETE, 1 FAIL, 1 PRUNED), 11 epochs of 16 without stopping",
    ]


def test_five_trials_are_shown_and_of_equals_the_earliest(ledger):
    for _ in range(6):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    rows = describe_study(ledger).splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["t0000", "t0001", "t0002", "t0003", "t0004"]
    assert [row.split()[1] for row in rows] == ["baseline", "plain", "-", "-", "-"]


def test_without_a_baseline_no_gain_is_claimed(ledger):
    ledger.fail(run(ledger), kind="diverged", error="")
    run(ledger, 0.5, 0.5, 0.5, 0.625)
    assert describe_study(ledger).splitlines()[1].split() == ["t0001", "plain", "0.6250", "0", "0"]


def test_chosen_rungs_are_told_last_before_and_after_the_choice(study_config):
    pruner = dataclasses.replace(study_config.pruner, rungs="auto", num_exempt=4)
    sampler = dataclasses.replace(study_config.sampler, num_startup=4)
    config = dataclasses.replace(study_config, pruner=pruner, sampler=sampler)
    ledger = Ledger.open(InMemoryStorage(), config)
    last = "rungs: auto, decided after 4 whole trials"
    for value in (0.1, 0.2, 0.3, 0.4):
        assert describe_study(ledger).splitlines()[-1] == last
        run(ledger, value, value, value, value)
    assert describe_study(ledger).splitlines()[-1] == (
        "rungs: epoch 2 tells finals at r 1.00 [0.19, 0.99], ranks them at rho 1.00: "
        "nobody is stopped"
    )
    assert progress_of(ledger).rungs == ledger.rules.choice(ledger.trials).sentence


def test_the_sampler_that_was_chosen_is_told_with_its_reason(study_config):
    sampler = dataclasses.replace(study_config.sampler, name="auto")
    ledger = Ledger.open(InMemoryStorage(), dataclasses.replace(study_config, sampler=sampler))
    assert describe_study(ledger).splitlines()[-1] == (
        "sampler: gp, which finds more than tpe in as few trials; "
        "stopped trials count by their expected end"
    )


def test_a_budget_that_is_used_is_told_last(study_config):
    ledger = Ledger.open(InMemoryStorage(), with_budget(study_config, max_total_epochs=8))
    for _ in range(2):
        assert "budget" not in describe_study(ledger)
        run(ledger, 0.1, 0.2, 0.3, 0.5)
    assert describe_study(ledger).splitlines()[-2:] == [
        "2 trials (2 COMPLETE), 8 epochs of 8 without stopping",
        "the budget of 8 epochs is used: 4 trials were not begun; raise study.max_total_epochs, "
        "then run the same command",
    ]


def test_a_study_without_a_complete_trial_has_its_totals(ledger):
    assert describe_study(ledger).splitlines()[-1].startswith("0 trials")
    ledger.fail(run(ledger, 0.5), kind="diverged", error="")
    run(ledger, 0.5)
    (totals,) = describe_study(ledger).splitlines()[1:]
    assert totals == "2 trials (1 FAIL, 1 RUNNING), 2 epochs of 8 without stopping"


def test_rows_for_programs_are_the_same_trials_with_numbers_in_full(ledger):
    run(ledger, 0.1, 0.2, 0.3, 0.1)
    run(ledger, 0.1, 0.2, 0.3, 0.2 + 1e-9)
    assert best_rows(ledger) == [
        {"trial": "t0001", "name": "plain", "val_accuracy": 0.2 + 1e-9,
         "gain": 0.2 + 1e-9 - 0.1, "dropout": 0.0, "warmup_epochs": 0.0},
        {"trial": "t0000", "name": "baseline", "val_accuracy": 0.1,
         "gain": 0.0, "dropout": 0.2, "warmup_epochs": 1.0},
    ]  # fmt: skip
    record = record_of(ledger)
    assert record["trials"] == best_rows(ledger)
    assert (record["states"], record["epochs"]) == ({"COMPLETE": 2}, 8)
