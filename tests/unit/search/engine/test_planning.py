"""From simulated searches and timed epochs to hours, computed by hand."""

import dataclasses
from pathlib import Path

import pytest

import fakes
from search.engine import planning
from search.engine.curves import make_family
from search.engine.grants import Grant
from search.engine.planning import Sizes, cost_of, simulate_study, summarise
from search.engine.virtual import MEAN_PACE, Outcome, VirtualTrial
from search.study.forecast import Pace, Range, Timing
from search.study.space import ConfirmConfig, load_study

ROOT = Path(__file__).parents[4]

CONFIG = dataclasses.replace(fakes.CONFIG, confirm=ConfirmConfig(top=0))
CURVES = {name: make_family(name, CONFIG) for name in planning.FAMILIES}
SIZES = Sizes(num_train=100, num_val=10, num_parameters=25_000_000)  # a second for a checkpoint
STORING = 0.03 + 1.0


def outcome(duration, *states):
    """An outcome of trials, each a state and its epochs."""
    trials = tuple(
        VirtualTrial(number=k, state=state, epochs=epochs, value=0.5, final=0.5)
        for k, (state, epochs) in enumerate(states)
    )
    return Outcome(best=0.9, trials=trials, duration=duration * MEAN_PACE, utilisation=1.0)


def timing(trials, retrainings=(0.2,)):
    return Timing(
        trials=tuple(Pace(train, 0.05) for train in trials),
        retrainings=tuple(Pace(train, 0.0) for train in retrainings),
        start_seconds=4.0,
        device="cpu",
        dtype="float32",
    )


OUTCOME = outcome(10, ("COMPLETE", 4), ("PRUNED", 2), ("PRUNED", 2), ("PRUNED", 1))


def test_shares_are_of_the_trials_and_rungs_in_order():
    other = outcome(9, ("COMPLETE", 4), ("COMPLETE", 4), ("COMPLETE", 4), ("PRUNED", 1))
    found = summarise([OUTCOME, other], curves=["a"], sampler="tpe")
    assert found.stopped == ((1, Range(0.25, 0.25, 0.25)), (2, Range(0.05, 0.25, 0.45)))
    assert found.complete == Range(0.3, 0.5, 0.7)
    assert found.epochs == Range(9.4, 11.0, 12.6)
    assert (found.num_searches, found.curves, found.sampler) == (2, ("a",), "tpe")


def test_hours_are_virtual_time_at_the_measured_pace_with_start_and_retraining():
    grant = Grant(1, 0, 2)
    cost = cost_of(CONFIG, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=grant)
    epoch = 100 * 0.1 + 10 * 0.05 + STORING + 0.03
    assert cost.epoch_seconds.middle == pytest.approx(epoch)
    search, retraining = cost.stages
    assert search.seconds.middle == pytest.approx(6 + 4 + 10 * epoch)
    # three seeds of 250 epochs on all 110 images, two at once: two waves, then the labelling
    wave = 4 + 250 * (110 * 0.2 + STORING)
    assert retraining.seconds.middle == pytest.approx(2 * wave + 4)
    assert cost.seconds.middle == pytest.approx(search.seconds.middle + retraining.seconds.middle)
    assert cost.gpu_hours is None


def test_a_confirmation_is_a_stage_of_its_own_in_waves_that_fit():
    config = dataclasses.replace(CONFIG, confirm=ConfirmConfig(top=1, seeds=(1, 2), epochs=3))
    grant = Grant(1, 1, 3)
    cost = cost_of(config, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=grant)
    plain = cost_of(CONFIG, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=grant)
    epoch = 100 * 0.1 + 10 * 0.05 + STORING + 0.03
    assert [stage.name for stage in cost.stages] == ["search", "confirmation", "retraining"]
    # two configurations on two seeds are four runs, three at once: two waves
    assert cost.stages[1].seconds.middle == pytest.approx(2 * (4 + 3 * epoch))
    assert cost.gpu_hours.middle - plain.gpu_hours.middle == pytest.approx(4 * 3 * epoch / 3600)


def test_without_a_retraining_the_search_is_all():
    grant = Grant(1, 1, 2)
    cost = cost_of(CONFIG, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=None)
    (search,) = cost.stages
    assert cost.seconds == search.seconds
    epoch = 100 * 0.1 + 10 * 0.05 + STORING + 0.03
    assert cost.gpu_hours.middle == pytest.approx(9 * epoch / 3600)


def test_hours_that_are_up_end_the_search_and_not_the_retraining():
    epoch = 100 * 0.1 + 10 * 0.05 + STORING + 0.03
    budget = dataclasses.replace(CONFIG.study, max_hours=5 * epoch / 3600)
    config = dataclasses.replace(CONFIG, study=budget)
    grant = Grant(1, 1, 2)
    cut = cost_of(config, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=grant)
    whole = cost_of(CONFIG, [OUTCOME], timing([0.1]), SIZES, trials=grant, retrainings=grant)
    assert cut.stages[0].seconds.middle == pytest.approx(6 + 4 + 5 * epoch)
    assert cut.stages[1] == whole.stages[1]
    assert whole.gpu_hours.middle - cut.gpu_hours.middle == pytest.approx(9 * epoch / 2 / 3600)


def test_each_search_meets_each_pace_and_a_slow_machine_is_slow_in_both_parts():
    grant = Grant(1, 0, 2)
    times = timing([0.3, 0.1, 0.2], [0.4, 0.6, 0.2])
    searches = [outcome(n, ("COMPLETE", 4)) for n in (10, 20)]
    found = cost_of(CONFIG, searches, times, SIZES, trials=grant, retrainings=grant)
    epochs = [100 * pace + 0.5 + STORING + 0.03 for pace in (0.1, 0.2, 0.3)]
    wholes = [2 * (4 + 250 * (110 * pace + STORING)) + 4 for pace in (0.2, 0.4, 0.6)]
    totals = [
        10 + num * epoch + whole
        for num in (10, 20)
        for epoch, whole in zip(epochs, wholes, strict=True)
    ]
    ordered = sorted(totals)
    assert found.seconds.middle == pytest.approx((ordered[2] + ordered[3]) / 2)
    assert found.seconds.low == pytest.approx((ordered[0] + ordered[1]) / 2)
    assert found.seconds.high == pytest.approx((ordered[4] + ordered[5]) / 2)


def test_gpu_hours_are_those_that_trainings_hold():
    trials, whole = Grant(1, 0.5, 2), Grant(1, 1.0, 1)
    retrain = dataclasses.replace(CONFIG.retrain, epochs=2, seeds=(0,))
    config = dataclasses.replace(CONFIG, retrain=retrain)
    cost = cost_of(config, [OUTCOME], timing([0.1]), SIZES, trials=trials, retrainings=whole)
    epoch = 100 * 0.1 + 10 * 0.05 + STORING + 0.03
    held = 9 * epoch / 2 + 2 * (110 * 0.2 + STORING)
    assert cost.gpu_hours.middle == pytest.approx(held / 3600)


def test_a_study_is_simulated_in_whole_rounds_over_the_families(monkeypatch):
    seen = []
    monkeypatch.setattr(planning, "NUM_SEARCHES", 6)
    outcomes, sampler = simulate_study(
        CONFIG, CURVES, workers=2, observe=lambda *numbers: seen.append(numbers)
    )
    assert (len(outcomes), sampler) == (6, "tpe")
    assert seen == [(k, 6) for k in range(1, 7)]
    assert all(len(each.trials) == CONFIG.study.num_trials for each in outcomes)
    assert outcomes == simulate_study(CONFIG, CURVES, workers=2)[0]  # seeds are counted, not drawn


def test_the_range_of_the_published_study_holds_the_epochs_it_took():
    study = load_study(ROOT / "results" / "cpu-plan" / "study.yaml")
    curves = {name: make_family(name, study) for name in planning.FAMILIES}
    outcomes, _ = simulate_study(study, curves, workers=2, seconds=60)
    found = summarise(outcomes, curves=list(curves), sampler="tpe")
    assert found.num_searches == 60
    assert 252 in found.epochs
    (at, stopped), *others = found.stopped
    assert (at, others) == (12, [])
    assert 7 / 14 in stopped


def test_no_round_begins_after_its_time():
    outcomes, sampler = simulate_study(CONFIG, CURVES, workers=2, seconds=0, clock=lambda: 0.0)
    assert (len(outcomes), sampler) == (3, "tpe")


def test_a_sampler_that_takes_too_long_is_replaced_by_random_draws():
    clock = iter(range(10_000))
    outcomes, sampler = simulate_study(
        CONFIG, CURVES, workers=2, seconds=8, clock=lambda: float(next(clock))
    )
    assert sampler == "random"
    assert len(outcomes) % 3 == 0
    assert outcomes
