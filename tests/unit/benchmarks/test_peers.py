"""Peers meet the same luck as our own search, keep the budget, and are judged by the same rule."""

from pathlib import Path

import pytest
from peers.catalogue import PEERS
from peers.given import baseline
from peers.loop import Race, Work, regret
from peers.ours import Ours
from peers.rungs_given import Jobs

from fakes import CONFIG, accuracy
from search.engine.virtual import simulate
from search.study.policies import parse_policy, with_budget

ROOT = Path(__file__).parents[3]
MAX_EPOCHS = CONFIG.study.max_epochs
SETTING = {"dropout": 0.25, "crop_padding": 2}


class Noisy:
    """The fakes' curves, with noise."""

    best = 0.875

    def final(self, params):
        return accuracy(params, MAX_EPOCHS)

    def observed(self, params, rng):
        epochs = range(1, MAX_EPOCHS + 1)
        return [accuracy(params, epoch) + 0.05 * rng.normal() for epoch in epochs]


class Scripted:
    """Hands out what it is told to, and pauses or ends a trial after the epochs it is told."""

    def __init__(self, works, ends):
        self.works = iter(works)
        self.ends = ends
        self.reports = []

    def suggest(self):
        return next(self.works, None)

    def report(self, number, epoch, value):
        self.reports.append((number, epoch, value))
        return epoch not in self.ends[number]


def race(peer, *, budget, workers=1, seed=0):
    running = Race(peer, Noisy(), seed, workers)
    return running, running.run(budget)


def load(name):
    """What makes a peer; where its package is missing the test is skipped, and says so."""
    try:
        return PEERS[name].load()
    except ImportError as error:
        pytest.skip(f"{PEERS[name].package} is not installed here: {error}")


@pytest.mark.parametrize("policy", ["none", "asha:25%,2", "random+asha:2,2", "auto"])
@pytest.mark.parametrize("workers", [1, 3])
def test_our_ledger_in_this_loop_gets_what_a_simulation_gets(policy, workers):
    paid = with_budget(CONFIG, num_trials=1000, max_total_epochs=50)
    expected = simulate(parse_policy(policy).applied(paid), Noisy(), workers=workers, seed=7)
    assert race(Ours(paid, 7, policy), budget=50, workers=workers, seed=7)[1] == expected


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_keeps_the_budget_and_begins_with_the_baseline(name):
    config = with_budget(CONFIG, max_epochs=60) if "15" in name else CONFIG
    length = config.study.max_epochs
    budget = 13 * length + 1
    funded = with_budget(config, max_total_epochs=budget)
    running = Race(load(name)(funded, 3), Long(config), 3, 4)
    outcome = running.run(budget)
    rest = budget - outcome.epochs
    assert rest == 0 or (PEERS[name].module == "ours" and 0 < rest < length)
    assert outcome.epochs == sum(trial.epochs for trial in running.trials)
    assert all(trial.epochs <= config.study.max_epochs for trial in running.trials)
    assert len({tuple(trial.params.values()) for trial in running.trials}) > 4
    assert (running.trials[0].params == baseline(config)) is (PEERS[name].package != "dehb")


class Long(Noisy):
    """Curves of a study's length."""

    def __init__(self, config):
        self.epochs = config.study.max_epochs

    def observed(self, params, rng):
        return [accuracy(params, epoch) for epoch in range(1, self.epochs + 1)]


def test_a_trial_that_is_taken_up_again_is_charged_for_what_it_lacks():
    other = {"dropout": 0.1, "crop_padding": 1}
    works = [Work(0, SETTING), Work(1, other), Work(0, SETTING), Work(2, other)]
    paused = Scripted(works, {0: {1}, 1: {2}, 2: {4}})
    running, outcome = race(paused, budget=8)
    assert [report[:2] for report in paused.reports] == [
        (0, 1), (1, 1), (1, 2), (0, 2), (0, 3), (0, 4), (2, 1), (2, 2),
    ]  # fmt: skip
    assert [(t.state, t.epochs) for t in outcome.trials] == [
        ("COMPLETE", 4), ("PRUNED", 2), ("RUNNING", 2),
    ]  # fmt: skip
    straight = Scripted([Work(0, SETTING)], {0: {4}})
    race(straight, budget=3)
    own = [value for number, _, value in paused.reports if number == 0]
    assert own[:3] == [value for *_, value in straight.reports]  # its noise is its own
    assert running.trials[0].epochs == 4


def test_a_worker_waits_until_there_is_work():
    works = [Work(0, SETTING), None, Work(1, SETTING), Work(2, SETTING)]
    running, outcome = race(Scripted(works, {0: {1}, 1: {9}, 2: {9}}), budget=3, workers=2)
    assert len(running.trials) == 3
    assert 0.5 < outcome.utilisation < 1


def test_regret_is_that_of_the_best_value_among_whole_trials_else_the_baselines():
    good, bad = {"dropout": 0.1, "crop_padding": 2}, {"dropout": 0.5, "crop_padding": 2}
    whole = Scripted([Work(0, bad), Work(1, good), Work(2, bad)], {0: {4}, 1: {3}, 2: {4}})
    _, outcome = race(whole, budget=11)
    assert regret(outcome, Noisy(), CONFIG) == pytest.approx(0.4)  # the good one was stopped at 3
    early = Scripted([Work(0, good), Work(1, good)], {0: {2}, 1: {2}})
    _, outcome = race(early, budget=4 - 1)
    expected = Noisy.best - accuracy(CONFIG.baseline, MAX_EPOCHS)
    assert regret(outcome, Noisy(), CONFIG) == pytest.approx(expected)


def test_optuna_alone_is_told_what_was_pruned_and_what_was_whole():
    peer = load("optuna tpe+median")(CONFIG, 0)
    _, outcome = race(peer, budget=60, workers=2)
    told = [trial.state.name for trial in peer._study.get_trials(deepcopy=False)]
    assert told == [trial.state for trial in outcome.trials]
    assert {"PRUNED", "COMPLETE"} <= set(told)


def test_stock_ray_tells_its_searcher_that_stopped_trials_are_complete():
    peer = load("ray asha:1,4")(CONFIG, 0)
    _, outcome = race(peer, budget=60, workers=2)
    assert outcome.states["PRUNED"] > 0
    stored = peer._search._ot_study.get_trials(deepcopy=False)
    for trial, told in zip(outcome.trials, stored, strict=True):
        if trial.state != "RUNNING":
            assert told.state.name == "COMPLETE"
            assert told.value == trial.value
            assert trial.epochs not in told.intermediate_values


def test_a_setting_goes_on_from_its_rung_and_is_trained_once_however_often_it_is_asked_for():
    told = []
    jobs = Jobs(lambda info, value: told.append((info, value)))
    assert jobs.ask("a", SETTING, 2, "first") == Work(0, SETTING)
    assert jobs.ask("a", SETTING, 2, "again") is None  # runs already
    assert jobs.ask("b", SETTING, 1, "other") == Work(1, SETTING)
    assert jobs.report(0, 1, 0.1)
    assert told == []
    assert not jobs.report(0, 2, 0.2)
    assert told == [("first", 0.2), ("again", 0.2)]
    assert jobs.ask("a", SETTING, 1, "late") is None
    assert told[-1] == ("late", 0.1)
    assert jobs.ask("a", SETTING, 4, "higher") == Work(0, SETTING)


@pytest.mark.parametrize("package", ["syne-tune", "smac", "dehb"])
def test_an_environment_of_a_peer_is_pinned(package):
    (own,) = (ROOT / "benchmarks" / "peers").glob(f"requirements-{package.partition('-')[0]}.txt")
    assert f"\n{package}==" in own.read_text()
