"""The best so far by epochs spent, and what random search is expected to have found."""

import dataclasses

import pytest

from fakes import CONFIG, make_snapshot, trial
from search.study.incumbents import Expected, Step, incumbents, is_drawn_at_random, random_search
from search.study.sections import PrunerConfig, SamplerConfig


def with_sampler(name, num_startup=3, pruner=CONFIG.pruner):
    sampler = SamplerConfig(name=name, num_startup=num_startup)
    return dataclasses.replace(CONFIG, sampler=sampler, pruner=pruner)


def rising(number, last, **fields):
    return trial(number, [last - 0.3, last - 0.2, last - 0.1, last], **fields)


def test_a_trial_counts_when_its_last_epoch_has_come_in():
    trials = [rising(0, 0.6), rising(1, 0.7), rising(2, 0.65)]
    order = [(n, epoch) for epoch in (1, 2, 3) for n in (0, 1)] + [(1, 4), (0, 4)]
    order += [(2, epoch) for epoch in (1, 2, 3, 4)]
    assert incumbents(trials, order) == [Step(epochs=7, number=1, value=0.7)]


def test_stopped_failed_and_running_trials_are_never_the_best():
    trials = [
        rising(0, 0.6),
        trial(1, [0.9, 0.9], state="PRUNED"),
        trial(2, [0.9, 0.9], state="FAIL", error_kind="exception"),
        trial(3, [0.9, 0.9, 0.9], state="RUNNING"),
    ]
    snapshot = make_snapshot(trials)
    assert incumbents(snapshot.trials, snapshot.order) == [Step(epochs=4, number=0, value=0.6)]
    assert incumbents([], []) == []


EXEMPT = PrunerConfig(name="asha", rungs="auto", num_exempt=5)


@pytest.mark.parametrize(
    ("config", "drawn"),
    [
        pytest.param(with_sampler("random"), range(2, 9), id="random"),
        pytest.param(with_sampler("qmc"), range(2, 9), id="qmc"),
        pytest.param(with_sampler("tpe", 3), [2], id="tpe"),
        pytest.param(with_sampler("gp", 6), [2, 3, 4, 5], id="gp"),
        pytest.param(with_sampler("auto", 1, EXEMPT), [2, 3, 4], id="exempt"),
        pytest.param(with_sampler("tpe", 7, EXEMPT), [2, 3, 4, 5, 6], id="exempt-and-start-up"),
        pytest.param(with_sampler("tpe", 1), [], id="none"),
    ],
)
def test_which_trials_were_drawn_at_random(config, drawn):
    assert [n for n in range(9) if is_drawn_at_random(config, n)] == list(drawn)


def test_random_search_begins_with_the_same_known_settings():
    values = [0.5, 0.6, 0.4, 0.7, 0.8]  # baseline, recipe, and three that were drawn
    found = random_search(with_sampler("random"), [rising(n, v) for n, v in enumerate(values)])
    # One of three drawn, the best of two of them, all three; 0.6 is known before.
    means = [0.6, (0.6 + 0.7 + 0.8) / 3, (0.7 + 0.8 + 0.8) / 3, 0.8]
    assert found.points == tuple(
        Expected(epochs=8 + 4 * k, value=pytest.approx(value)) for k, value in enumerate(means)
    )
    assert (found.num_drawn, found.num_stopped) == (3, 0)
    assert "3 trials of this study that were drawn at random" in found.sentence


def test_a_stopped_trial_counts_by_its_expected_end():
    whole = [rising(n, v) for n, v in enumerate([0.5, 0.6, 0.7, 0.8])]
    stopped = trial(4, [0.1, 0.2], state="PRUNED")  # as low as the line of the others ends: 0.5
    found = random_search(with_sampler("random"), [*whole, stopped])
    assert (found.num_drawn, found.num_stopped) == (3, 1)
    assert found.points[1].value == pytest.approx((0.6 + 0.7 + 0.8) / 3)
    assert "1 of them were stopped" not in found.sentence
    assert "1 of them was stopped and counts by its expected end" in found.sentence


def test_failed_and_running_trials_are_left_out():
    trials = [
        rising(0, 0.5),
        rising(1, 0.6),
        trial(2, [], state="FAIL", error_kind="diverged"),
        trial(3, [0.4], state="RUNNING"),
        rising(4, 0.7),
    ]
    found = random_search(with_sampler("random"), trials)
    assert [each.value for each in found.points] == pytest.approx([0.6, 0.7])


@pytest.mark.parametrize(
    "trials",
    [[], [rising(0, 0.5), rising(1, 0.6)], [rising(0, 0.5), trial(1, [0.5], state="RUNNING")]],
    ids=["empty", "known-settings-alone", "running"],
)
def test_without_random_trials_it_cannot_be_told(trials):
    found = random_search(with_sampler("tpe", 3), trials)
    assert (found.points, found.num_drawn) == ((), 0)
    assert found.sentence.startswith("random search cannot be told: ")


def test_without_a_baseline_the_random_trials_stand_alone():
    trials = [trial(0, [], state="FAIL", error_kind="exception"), rising(1, 0.6, state="FAIL")]
    found = random_search(with_sampler("random"), [*trials, rising(2, 0.4), rising(3, 0.5)])
    assert [(each.epochs, each.value) for each in found.points] == [
        (12, pytest.approx(0.45)),
        (16, pytest.approx(0.5)),
    ]


def test_sobol_points_are_called_so():
    trials = [rising(n, 0.5) for n in range(3)]
    assert "points of a Sobol sequence" in random_search(with_sampler("qmc"), trials).sentence
