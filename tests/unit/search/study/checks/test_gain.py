"""The gain: shown, not shown, not asked for, or impossible to tell."""

import dataclasses

import pytest
from optuna.storages import InMemoryStorage

import fakes
from fakes import make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.gain import check_gain
from search.study.confirmation import conclude
from search.study.contest import terms_of
from search.study.ledger import Ledger

BETTER = {"t0000": [0.40, 0.42, 0.44], "t0001": [0.52, 0.55, 0.56], "t0002": [0.53, 0.54, 0.58]}
UNSURE = {"t0000": [0.40, 0.42, 0.44], "t0001": [0.39, 0.46, 0.41], "t0002": [0.48, 0.43, 0.47]}
WORSE = {"t0000": [0.60, 0.62, 0.64], "t0001": [0.52, 0.54, 0.57], "t0002": [0.53, 0.54, 0.58]}


def confirmed(values, **changed):
    """A study of three trials, with what their fresh runs say."""
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    for value in (0.4, 0.5, 0.6):
        fakes.run(ledger, value, value, value, value)
    runs = {f"{who}-seed{11 + k}": v for who, row in values.items() for k, v in enumerate(row)}
    found = conclude(ledger, terms_of(ledger.config), runs | changed, num_val=256)
    winner = next(t for t in ledger.trials if t.id == found.winner)
    return make_snapshot(ledger.trials, confirmation=found, winner=winner)


def test_a_gain_that_is_shown_passes():
    found = check_gain(confirmed(BETTER))
    assert found.status is Status.PASS
    assert found.sentence.startswith("t0002 is shown to be better than the baseline: by 13.00 ")
    assert found.advice == ""


def test_a_gain_that_is_not_shown_is_a_warning_with_the_seeds_that_would_show_it():
    found = check_gain(confirmed(UNSURE))
    assert found.status is Status.WARNING
    assert found.sentence.startswith("t0002 is not shown to be better than the baseline: by 4.00 ")
    assert found.advice.startswith("do not call it better; if the gain is real, about ")
    assert "python -m search.confirm --study results/demo --seeds 11 12 13 14" in found.advice


def test_a_gain_that_twenty_seeds_would_not_show_asks_for_none():
    tiny = {**UNSURE, "t0002": [0.43, 0.40, 0.432]}
    assert check_gain(confirmed(tiny)).advice == "do not call it better"


def test_a_baseline_that_wins_is_a_warning():
    found = check_gain(confirmed(WORSE))
    assert found.status is Status.WARNING
    assert "the baseline is the highest" in found.sentence
    assert found.advice.startswith("the baseline is what is retrained")


def test_beside_a_baseline_that_diverged_on_fresh_seeds_nothing_is_shown():
    found = check_gain(confirmed(BETTER, **{"t0000-seed12": "diverged in epoch 1: loss"}))
    assert found.status is Status.WARNING
    assert "no mean to compare with" in found.sentence


def test_a_gain_in_the_search_alone_is_a_warning_that_names_the_command():
    found = check_gain(make_snapshot([trial(0, [0.5] * 4), trial(1, [0.6] * 4)]))
    assert found.status is Status.WARNING
    assert "t0001 is 10.00 points above the baseline" in found.sentence
    assert "2 complete trials" in found.sentence
    assert found.advice.endswith("python -m search.confirm --study results/demo")


def test_a_baseline_that_is_the_best_of_the_search_is_a_warning():
    found = check_gain(make_snapshot([trial(0, [0.6] * 4), trial(1, [0.5] * 4)]))
    assert found.status is Status.WARNING
    assert found.sentence.startswith("nothing is gained: the baseline itself, 60.00%")


def test_another_trainable_is_not_told_to_run_what_it_has_not():
    config = dataclasses.replace(fakes.CONFIG, trainable="digits")
    found = check_gain(make_snapshot([trial(0, [0.5] * 4), trial(1, [0.6] * 4)], config))
    assert "search.confirm" not in found.advice


@pytest.mark.parametrize(
    ("trials", "status", "said"),
    [
        pytest.param([], Status.WARNING, "no trial has come to its end", id="empty"),
        pytest.param(
            [trial(0, [0.5], state="RUNNING")], Status.WARNING, "no trial has come", id="running"
        ),
        pytest.param([trial(0, [0.5] * 4)], Status.WARNING, "no other trial", id="baseline-alone"),
        pytest.param(
            [trial(0, [0.5], state="RUNNING"), trial(1, [0.6] * 4)],
            Status.WARNING,
            "t0001 has 60.00%, and the baseline is not at its end yet",
            id="baseline-running",
        ),
        pytest.param(
            [trial(0, [], state="FAIL", error_kind="cuda-oom"), trial(1, [0.6] * 4)],
            Status.FAIL,
            "the baseline failed (cuda-oom)",
            id="baseline-failed",
        ),
        pytest.param(
            [trial(0, [], state="FAIL", error_kind="exception")],
            Status.FAIL,
            "none of 1 trials came to its end",
            id="all-failed",
        ),
    ],
)
def test_where_nothing_can_be_compared_it_says_why(trials, status, said):
    found = check_gain(make_snapshot(trials))
    assert (found.status, said in found.sentence) == (status, True), found
    assert found.advice
