"""Our rungs beside Ray's ASHAScheduler and Optuna's SuccessiveHalvingPruner, on the same streams.

Where the three rules agree they must decide alike, on a thousand random streams; where they do not,
a test shows how. docs/explanation/early-stopping.md names each difference.
"""

import itertools
import math
import random
from dataclasses import dataclass

import optuna
import pytest
from optuna.pruners import SuccessiveHalvingPruner
from ray.tune.schedulers import ASHAScheduler

from fakes import CONFIG, HOST, result
from search.study.ledger import Ledger
from search.study.rungs import is_stopped, rung_epochs

NUM_STREAMS = 1000


@dataclass(frozen=True)
class Budget:
    min_epochs: int
    max_epochs: int
    factor: int

    @property
    def rungs(self):
        """Epochs at which a trial may be stopped."""
        lengths = {"min_epochs": self.min_epochs, "max_epochs": self.max_epochs}
        return rung_epochs(**lengths, reduction_factor=self.factor)[:-1]


@dataclass(frozen=True)
class Arrival:
    """One report, with what our rule says to it."""

    trial: int
    epoch: int
    value: float
    values: tuple[float, ...]
    """All at this rung, its own included; none where the epoch is no rung."""
    is_stopped: bool

    @property
    def num_better(self):
        return sum(other > self.value for other in self.values)


def stream(seed):
    """Return a budget and the reports of some trials that run side by side, in their order."""
    rng = random.Random(seed)
    low = rng.randint(1, 3)
    budget = Budget(low, low + rng.randint(1, 12), rng.choice([2, 2, 3, 4]))
    digits = rng.choice([1, 9])  # values with one digit are often equal
    running, at_rung, arrivals = {}, {epoch: [] for epoch in budget.rungs}, []
    waiting = iter(range(rng.randint(2, 14)))
    free = rng.randint(1, 6)
    while running or free:
        while free and (trial := next(waiting, None)) is not None:
            running[trial] = 0
            free -= 1
        if not running:
            break
        trial = rng.choice(sorted(running))
        epoch = running[trial] = running[trial] + 1
        value = round(rng.random(), digits)
        at_rung.get(epoch, []).append(value)
        values = tuple(at_rung.get(epoch, ()))
        stopped = bool(values) and is_stopped(value, values, reduction_factor=budget.factor)
        arrivals.append(Arrival(trial, epoch, value, values, stopped))
        if stopped or epoch == budget.max_epochs:
            del running[trial]
            free += 1
    return budget, arrivals


STREAMS = [stream(seed) for seed in range(NUM_STREAMS)]


class Ray:
    """Ray's scheduler, asked about single reports."""

    def __init__(self, budget):
        self._scheduler = ASHAScheduler(
            time_attr="epoch",
            metric="val_accuracy",
            mode="max",
            max_t=budget.max_epochs,
            grace_period=budget.min_epochs,
            reduction_factor=budget.factor,
        )
        self._trials = {}

    def stops(self, trial, epoch, value):
        if trial not in self._trials:
            self._trials[trial] = type("Trial", (), {"trial_id": str(trial)})()
            self._scheduler.on_trial_add(None, self._trials[trial])
        report = {"epoch": epoch, "val_accuracy": value}
        return self._scheduler.on_trial_result(None, self._trials[trial], report) == "STOP"

    @property
    def rungs(self):
        (bracket,) = self._scheduler._brackets
        return sorted(epoch for epoch, _ in bracket._rungs)


class Optuna:
    """Optuna's pruner, asked about single reports."""

    def __init__(self, budget, **options):
        pruner = SuccessiveHalvingPruner(
            **{"min_resource": budget.min_epochs, "reduction_factor": budget.factor, **options}
        )
        self.study = optuna.create_study(direction="maximize", pruner=pruner)
        self._trials = {}

    def stops(self, trial, epoch, value):
        if trial not in self._trials:
            self._trials[trial] = self.study.ask()
        self._trials[trial].report(value, epoch)
        return self._trials[trial].should_prune()

    def complete(self, trial, value):
        self.study.tell(self._trials[trial], value)


def ours(budget, *values):
    """Return what our rule says to the last of the values at a rung."""
    return is_stopped(values[-1], values, reduction_factor=budget.factor)


def arrivals_before_the_end():
    for budget, arrivals in STREAMS:
        yield budget, [each for each in arrivals if each.epoch < budget.max_epochs]


def test_the_streams_hold_what_is_to_be_compared():
    judged = [(b, a) for b, arrivals in STREAMS for a in arrivals if a.values]
    enough = [a for b, a in judged if len(a.values) >= b.factor]
    assert len(STREAMS) == 1000
    assert len(enough) > 5000
    assert 0.2 < sum(a.is_stopped for a in enough) / len(enough) < 0.8
    assert sum(len(set(a.values)) < len(a.values) for a in enough) > 1000
    assert {b.factor for b, _ in judged} == {2, 3, 4}
    assert {len(b.rungs) for b, _ in judged} >= {1, 2, 3}


def test_optuna_decides_alike_but_stops_all_but_the_best_of_the_first_few():
    for budget, arrivals in arrivals_before_the_end():
        theirs = Optuna(budget)
        for each in arrivals:
            expected = each.is_stopped
            if 0 < len(each.values) < budget.factor:
                expected = each.value < max(each.values)
            assert theirs.stops(each.trial, each.epoch, each.value) == expected, (budget, each)


def test_ray_decides_alike_but_for_one_place_and_the_first_few():
    num_equal = num_other = 0
    for budget, arrivals in arrivals_before_the_end():
        theirs = Ray(budget)
        for each in arrivals:
            stopped, num = theirs.stops(each.trial, each.epoch, each.value), len(each.values)
            place = num // budget.factor  # the first that our rule stops
            is_two_places_off = each.num_better not in (place, place + 1)
            is_exact = budget.factor == 2 and num % 2 == 0
            if num == 0 or (num >= budget.factor and (is_exact or is_two_places_off)):
                assert stopped == each.is_stopped, (budget, each)
                num_equal += num > 0
            elif num >= budget.factor:
                assert each.is_stopped or not stopped, (budget, each)  # never stricter than ours
                num_other += stopped != each.is_stopped
    assert num_equal > 3000
    assert num_other > 300


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 10])
def test_all_three_judge_at_the_same_epochs_before_the_last(factor):
    for low, high in itertools.product(range(1, 8), range(1, 130)):
        if low <= high:
            budget = Budget(low, high, factor)
            below = [epoch for epoch in Ray(budget).rungs if epoch < high]
            assert below == budget.rungs, budget
            assert below == [low * factor**k for k in range(8) if low * factor**k < high]


@pytest.mark.parametrize("budget", [Budget(1, 243, 3), Budget(1, 1000, 10)], ids=str)
def test_ray_loses_the_top_rung_to_a_logarithm(budget):
    assert budget.max_epochs not in Ray(budget).rungs
    assert 81 in Ray(Budget(1, 81, 3)).rungs
    lengths = {"min_epochs": budget.min_epochs, "max_epochs": budget.max_epochs}
    assert rung_epochs(**lengths, reduction_factor=budget.factor)[-1] == budget.max_epochs


def test_the_second_of_four_goes_on_here_and_is_judged_by_the_first_alone_there():
    budget = Budget(1, 9, 4)
    ray, other = Ray(budget), Optuna(budget)
    assert not ray.stops(0, 1, 0.9)
    assert not other.stops(0, 1, 0.9)
    assert ray.stops(1, 1, 0.8)
    assert other.stops(1, 1, 0.8)
    assert not ours(budget, 0.9, 0.8)


def test_ray_compares_with_a_percentile_between_the_others():
    budget = Budget(1, 9, 2)
    ray, other = Ray(budget), Optuna(budget)
    for trial, value in enumerate([0.2, 0.8]):
        ray.stops(trial, 1, value)
        other.stops(trial, 1, value)
    # The median of the others lies between them, at 0.5; of three, our rule lets one go on.
    assert not ray.stops(2, 1, 0.6)
    assert other.stops(2, 1, 0.6)
    assert ours(budget, 0.2, 0.8, 0.6)


def test_ray_never_stops_a_trial_whose_value_is_not_a_number():
    ray = Ray(Budget(1, 9, 2))
    for trial in range(4):
        ray.stops(trial, 1, 0.9)
    assert not any(ray.stops(4, epoch, math.nan) for epoch in range(1, 9))


def test_optuna_stops_such_a_trial_at_its_next_rung_and_the_ledger_takes_no_such_value():
    other = Optuna(Budget(2, 9, 2))
    other.stops(0, 2, 0.9)
    assert [other.stops(1, epoch, math.nan) for epoch in (1, 2)] == [False, True]
    ledger = Ledger.open(optuna.storages.InMemoryStorage(), CONFIG)
    trial = ledger.suggest()
    with pytest.raises(ValueError, match="val_accuracy must be finite"):
        ledger.report(trial.number, result(1, math.nan), HOST, attempt=trial.attempt)


def test_optuna_judges_at_the_last_epoch_too():
    budget = Budget(1, 4, 2)
    other, ray = Optuna(budget), Ray(budget)
    finals = [[judge.stops(t, 4, 0.9 - t / 10) for t in range(3)] for judge in (other, ray)]
    assert finals[0] == [False, True, True]  # a finished trial would be called pruned
    assert finals[1] == [True, True, True]  # whoever comes to the end has ended
    assert budget.rungs == [1, 2]


def test_optunas_early_stopping_rate_is_a_later_first_rung():
    shifted = Optuna(Budget(2, 60, 2), min_early_stopping_rate=1)
    later = Optuna(Budget(4, 60, 2))
    values = random.Random(0)
    for trial, epoch in itertools.product(range(8), range(1, 9)):
        value = values.random()
        assert shifted.stops(trial, epoch, value) == later.stops(trial, epoch, value)


def test_optunas_bootstrap_count_stops_the_first_of_each_rung():
    other = Optuna(Budget(1, 9, 2), bootstrap_count=2)
    assert [other.stops(t, 1, v) for t, v in enumerate([0.5, 0.6, 0.7])] == [True, True, False]


def test_optunas_own_first_rung_waits_for_a_complete_trial():
    other = Optuna(Budget(1, 300, 2), min_resource="auto")
    assert not other.stops(0, 300, 0.9)
    assert not other.stops(1, 150, 0.1)
    other.complete(0, 0.9)
    for trial, value in ((2, 0.5), (3, 0.1)):
        assert not other.stops(trial, 2, value)  # the first rung is now at 300 // 100
    assert not other.stops(2, 3, 0.5)
    assert other.stops(3, 3, 0.1)


def test_ray_enters_a_late_value_at_an_early_rung():
    ray, other = Ray(Budget(1, 9, 3)), Optuna(Budget(1, 9, 3))
    assert not any(ray.stops(0, epoch, 0.8) for epoch in (4, 5))  # its rungs 3, then 1
    assert ray.stops(1, 1, 0.7)  # compared at epoch 1 with what another had at epoch 5
    # Optuna enters one value at all rungs that were passed; ours count an epoch's own value alone.
    assert not other.stops(0, 4, 0.8)
    assert other.stops(1, 1, 0.7)
    assert not ours(Budget(1, 9, 3), 0.7)
