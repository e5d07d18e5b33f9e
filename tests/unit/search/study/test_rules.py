"""Which trials come first, and which end where."""

import dataclasses

import pytest

from fakes import CONFIG, result
from search.study.records import TrialRecord
from search.study.rules import Rules
from search.study.sections import PrunerConfig


def trials(*values):
    """Trials with one epoch each."""
    return [
        TrialRecord(number=number, params={}, epochs={1: result(1, value)})
        for number, value in enumerate(values)
    ]


def test_the_baseline_is_first_then_recipes_then_the_samplers_trials():
    rules = Rules(CONFIG)
    assert [rules.name_of(number) for number in range(3)] == ["baseline", "bare", ""]
    assert [rules.given(number) for number in range(3)] == [
        CONFIG.baseline,
        CONFIG.recipes["bare"],
        None,
    ]


@pytest.mark.parametrize(
    ("values", "epoch", "end"),
    [
        pytest.param((0.5, 0.5, 0.9, 0.1), 4, ("COMPLETE", "max_epochs"), id="the-last-epoch"),
        pytest.param((0.5, 0.5, 0.9, 0.1), 1, ("PRUNED", "rung 1"), id="the-worst-at-a-rung"),
        pytest.param((0.5, 0.5, 0.1, 0.9), 1, None, id="the-best-at-a-rung"),
        pytest.param((0.5, 0.5, 0.9, 0.1), 3, None, id="no-rung"),
        pytest.param((0.5, 0.1), 1, None, id="a-recipe-is-never-stopped"),
    ],
)
def test_a_trial_ends_at_its_last_epoch_or_where_it_loses(values, epoch, end):
    made = trials(*values)
    assert Rules(CONFIG).end_after(made, made[-1], epoch) == end


def test_without_a_pruner_no_trial_is_stopped():
    config = dataclasses.replace(CONFIG, pruner=PrunerConfig(name="none"))
    made = trials(0.5, 0.5, 0.9, 0.1)
    assert Rules(config).end_after(made, made[-1], 1) is None
