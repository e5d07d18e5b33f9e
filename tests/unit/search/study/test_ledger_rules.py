"""The ledger's decisions against the rule of DESIGN.md, read naively from the stored study."""

import dataclasses

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from fakes import HOST, result
from search.study.config import loads
from search.study.ledger import Ledger
from search.study.space import StudyConfig

STUDY = """\
study: {num_trials: 12, min_epochs: 1, max_epochs: 5, reduction_factor: 2, seed: 0}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
baseline: {dropout: 0.2}
recipes:
  bare: {dropout: 0.0}
sampler: {name: random}
pruner: {name: asha, rungs: fixed}
"""
CONFIG = loads(STUDY, StudyConfig)
NUM_KNOWN = 2
RUNGS = {2: [1, 2, 4], 3: [1, 3], 4: [1, 4]}  # by reduction factor, below five epochs
SCORES = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # few, so that there are ties


def with_factor(factor):
    study = dataclasses.replace(CONFIG.study, reduction_factor=factor)
    return dataclasses.replace(CONFIG, study=study)


def should_go_on(storage, number, epoch, factor):
    """Read the rule word for word; the study holds the trial's own value already."""
    if epoch == 5:
        return False
    if number < NUM_KNOWN or epoch not in RUNGS[factor]:
        return True
    trials = optuna.load_study(study_name="search", storage=storage).trials
    values = {
        t.number: t.intermediate_values[epoch] for t in trials if epoch in t.intermediate_values
    }
    if len(values) < factor:
        return True
    places = sorted(values.values(), reverse=True)
    return values[number] >= places[max(1, len(values) // factor) - 1]


@settings(max_examples=40, deadline=None)
@given(factor=st.sampled_from(sorted(RUNGS)), workers=st.integers(1, 5), data=st.data())
def test_every_decision_is_the_rules_whoever_reports_next(factor, workers, data):
    storage = InMemoryStorage()
    ledger = Ledger.open(storage, with_factor(factor))
    running = {}
    while True:
        while len(running) < workers and (suggestion := ledger.suggest()) is not None:
            running[suggestion.number] = 0
        if not running:
            break
        number = data.draw(st.sampled_from(sorted(running)), label="reports next")
        if data.draw(st.integers(0, 19), label="fails if 0") == 0:
            ledger.fail(number, kind="diverged", error="")
            del running[number]
            continue
        running[number] = epoch = running[number] + 1
        goes_on = ledger.report(number, result(epoch, data.draw(SCORES)), HOST, attempt=1)
        assert goes_on == should_go_on(storage, number, epoch, factor)
        if not goes_on:
            del running[number]
    assert ledger.num_remaining == 0
    for trial in optuna.load_study(study_name="search", storage=storage).trials:
        last = max(trial.intermediate_values, default=0)
        stopped = last in RUNGS[factor] and trial.number >= NUM_KNOWN
        ends = {"COMPLETE": last == 5, "PRUNED": stopped, "FAIL": last < 5}
        assert ends[trial.state.name]


@given(st.permutations([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]))
@settings(max_examples=20, deadline=None)
def test_the_best_of_a_rung_always_reaches_the_last_epoch(values):
    ledger = Ledger.open(InMemoryStorage(), with_factor(2))
    for _ in range(NUM_KNOWN):
        ledger.fail(ledger.suggest().number, kind="diverged", error="")
    for value in values:
        number, epoch = ledger.suggest().number, 1
        while ledger.report(number, result(epoch, value), HOST, attempt=1):
            epoch += 1
    states = [t.state for t in ledger.trials[NUM_KNOWN:]]
    assert states[values.index(0.8)] == "COMPLETE"
    assert states[0] == "COMPLETE"  # the first to arrive meets nobody


def test_without_a_pruner_nobody_is_stopped():
    pruner = dataclasses.replace(CONFIG.pruner, name="none")
    ledger = Ledger.open(InMemoryStorage(), dataclasses.replace(CONFIG, pruner=pruner))
    for place in range(CONFIG.study.num_trials):
        number = ledger.suggest().number
        values = [(epoch, 0.9 - 0.05 * place) for epoch in (1, 2, 3, 4, 5)]
        goes_on = [ledger.report(number, result(*value), HOST, attempt=1) for value in values]
        assert goes_on == [True, True, True, True, False]
    assert {t.state for t in ledger.trials} == {"COMPLETE"}


@pytest.mark.parametrize(
    ("value", "num_epochs", "state"),
    [
        pytest.param(0.6, 5, "COMPLETE", id="complete"),
        pytest.param(0.1, 1, "PRUNED", id="pruned"),
        pytest.param(0.6, 0, "FAIL", id="failed"),
    ],
)
def test_a_trial_at_its_end_stays_as_it_is(value, num_epochs, state):
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    for _ in range(NUM_KNOWN):
        ledger.report(ledger.suggest().number, result(1, 0.5), HOST, attempt=1)
    number = ledger.suggest().number
    for epoch in range(1, num_epochs + 1):
        ledger.report(number, result(epoch, value), HOST, attempt=1)
    if state == "FAIL":
        ledger.fail(number, kind="cuda-oom", error="first")
    before, seen = dataclasses.replace(ledger.trials[number]), []
    assert (before.state, len(before.epochs)) == (state, num_epochs)
    ledger.observe = seen.append
    ledger.fail(number, kind="worker-died", error="second")
    assert not ledger.report(number, result(num_epochs + 1, 0.9), HOST, attempt=1)
    assert ledger.trials[number] == before
    assert list(before.epochs) == list(range(1, num_epochs + 1))
    assert seen == []
