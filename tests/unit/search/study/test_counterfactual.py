"""Other rungs over recorded trials, by hand; and a study's own rungs do what they did."""

import dataclasses
import random

import pytest
from optuna.storages import InMemoryStorage

from fakes import HOST, result
from search.study.config import loads
from search.study.counterfactual import Judgement, replay_with
from search.study.ledger import Ledger
from search.study.policies import parse_rungs
from search.study.records import TrialRecord
from search.study.space import StudyConfig

STUDY = """\
study: {num_trials: 12, min_epochs: 2, max_epochs: 8, reduction_factor: 2, seed: 4}
train: {warmup_epochs: 0}
space: {dropout: {low: 0.0, high: 0.5}}
baseline: {dropout: 0.2}
sampler: {name: random}
"""
CONFIG = loads(STUDY + "pruner: {rungs: fixed}\n", StudyConfig)
AUTO = loads(STUDY + "pruner: {rungs: auto, num_exempt: 5}\n", StudyConfig)


def trial(number, *percents, state="COMPLETE"):
    epochs = {k: result(k, value / 100) for k, value in enumerate(percents, 1)}
    reason = f"rung {len(epochs)}" if state == "PRUNED" else ""
    return TrialRecord(
        number=number, params={"dropout": 0.1}, state=state, stop_reason=reason, epochs=epochs
    )


def in_turn(trials):
    return [(each.number, epoch) for each in trials for epoch in each.epochs]


def replayed(rungs, trials, *, config=CONFIG, order=None):
    asked = parse_rungs(rungs).applied(config)
    return replay_with(config, asked, trials, in_turn(trials) if order is None else order)


def rising(number, last, *, at=4, early=None, epochs=8, state="COMPLETE"):
    """A trial that rises to its last value, with another one at one epoch."""
    values = [last - (8 - epoch) for epoch in range(1, 9)]
    if early is not None:
        values[at - 1] = early
    return trial(number, *values[:epochs], state=state)


def test_who_is_stopped_ends_there_and_counts_no_more():
    trials = [
        rising(0, 60),  # the baseline: 56 at epoch 4, judged by nobody, but counted
        rising(1, 70, early=50),  # the later best, second of two: stopped
        rising(2, 65, early=58),  # first of three
        rising(3, 64, early=57),  # second of four: the best two go on
    ]
    found = replayed("4,2", trials)
    assert found.rungs == (4,)
    assert found.judgements == (
        Judgement(number=1, epoch=4, value=0.50, place=2, num_there=2, is_stopped=True),
        Judgement(number=2, epoch=4, value=0.58, place=1, num_there=3, is_stopped=False),
        Judgement(number=3, epoch=4, value=0.57, place=2, num_there=4, is_stopped=False),
    )
    assert (found.best, found.keeps_best) == (1, False)
    assert (found.epochs_saved, found.unknown, found.epochs_added) == (4, {}, 0)


def test_the_order_of_the_results_decides():
    trials = [rising(0, 60), rising(1, 70, early=50), rising(2, 65, early=58)]
    assert replayed("4,2", trials).stopped == {1: 4}
    rest = [pair for pair in in_turn(trials) if pair[0]]
    late = [*rest, *[(0, epoch) for epoch in range(1, 9)]]
    assert replayed("4,2", trials, order=late).stopped == {}  # alone at the rung, then the best


def test_a_trial_that_was_stopped_before_is_unknown_from_there():
    trials = [
        rising(0, 60),
        rising(1, 70, epochs=2, state="PRUNED"),
        rising(2, 40, epochs=2, state="PRUNED"),
        rising(3, 66, epochs=3, state="FAIL"),
        rising(4, 65),
    ]
    found = replayed("4,2", trials)
    assert (found.unknown, found.epochs_added) == ({1: 4, 2: 4}, 4)
    assert [each.number for each in found.judgements] == [4]
    without = replayed("none", trials)
    assert (without.unknown, without.epochs_added) == ({1: 8, 2: 8}, 12)
    assert (without.rungs, without.judgements) == ((), ())
    assert without.keeps_best
    assert found.num_survivors == 1  # of the whole curves, the baseline's apart


def test_without_a_complete_trial_there_is_no_best():
    found = replayed("4,2", [rising(0, 60, epochs=3, state="RUNNING")])
    assert (found.best, found.keeps_best, found.unknown) == (None, False, {})


def test_auto_takes_the_rung_that_whole_curves_choose():
    # Epoch 2 ranks them backwards, epochs 3 and 4 as the end does.
    finals = [60, 70, 65, 68, 62, 61, 69]
    trials = [rising(k, last, at=2, early=90 - last) for k, last in enumerate(finals)]
    found = replayed("auto", trials)
    assert [each.epoch for each in found.guard.candidates] == [2, 3, 4]
    assert found.guard.candidates[0].rho == pytest.approx(-1)
    assert found.guard.candidates[0].stops_best
    assert (found.guard.first_rung, found.reduction_factor) == (3, 4)  # all but certain
    assert found.rungs == (3,)
    assert found.keeps_best
    assert replayed("auto:4,2", trials).guard.first_rung == 4


def test_where_no_rung_is_safe_auto_stops_nobody():
    trials = [rising(k, last) for k, last in enumerate([60, 70, 65])]
    found = replayed("auto", trials)
    assert "too few" in found.guard.sentence
    assert (found.rungs, found.judgements) == ((), ())


@pytest.mark.parametrize("config", [CONFIG, AUTO], ids=["fixed", "auto"])
@pytest.mark.parametrize("seed", range(4))
def test_a_studys_own_rungs_stop_whom_they_stopped(config, seed):
    config = dataclasses.replace(config, study=dataclasses.replace(config.study, num_trials=20))
    ledger, chance, running = Ledger.open(InMemoryStorage(), config), random.Random(seed), []
    order = []
    while True:
        while len(running) < 3 and (suggestion := ledger.suggest()) is not None:
            running.append([suggestion, 0])
        if not running:
            break
        worker = chance.choice(running)
        worker[1] += 1
        number, attempt = worker[0].number, worker[0].attempt
        order.append((number, worker[1]))
        value = 0.5 + number % 7 / 50 + worker[1] / 50 + chance.gauss(0, 0.005)
        if not ledger.report(number, result(worker[1], value), HOST, attempt=attempt):
            running.remove(worker)
    found = replay_with(config, config, ledger.trials, order)
    stopped = {t.number: len(t.epochs) for t in ledger.trials if t.state == "PRUNED"}
    assert stopped
    assert found.stopped == stopped
    assert (found.epochs_saved, found.unknown, found.keeps_best) == (0, {}, True)
    if config.pruner.is_auto:
        assert found.guard == ledger.rules.choice(ledger.trials)
        assert found.num_survivors == 0
