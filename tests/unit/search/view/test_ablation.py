import dataclasses

import pytest

from search.study.ablation import Ablation, Effect
from search.view.ablation import describe_ablation


@pytest.fixture
def ablation():
    needed = Effect(
        hyperparameter="dropout", value=0.1234567, baseline=0.2, variant="revert-dropout", mean=0.9,
        loss=0.05, at_least=0.04, at_most=0.06, is_needed=True,
    )  # fmt: skip
    lost = dataclasses.replace(
        needed,
        hyperparameter="lr",
        value=1.0,
        error="diverged",
        mean=None,
        loss=None,
        at_least=None,
    )
    other = dataclasses.replace(
        needed, hyperparameter="warmup_epochs", value=3.0, baseline=5.0, loss=0.0, at_least=-0.01,
        is_needed=False,
    )  # fmt: skip
    return Ablation(
        study="s", made="2026-11-28T12:00:00+00:00", rule="r", method="m", error_rate=0.05,
        trial="t0004", seeds=(11, 12), epochs=20, search_epochs=60, runs={}, values={},
        effects=[lost, needed, other], recipe={"dropout": 0.1234567, "warmup_epochs": 5.0},
        gain=0.05, kept=0.05, keeps_gain=True, sentence="so it is", noise=0.001, degrees=4,
    )  # fmt: skip


def test_an_ablation_is_a_table_the_terms_the_verdict_and_a_recipe(ablation):
    assert describe_ablation(ablation).splitlines() == [
        "without        value   baseline  mean      loss     at least  needed",
        "lr             1       0.2       diverged                     yes",
        "dropout        0.1235  0.2       0.9000    +0.0500  +0.0400   yes",
        "warmup_epochs  3       5         0.9000    +0.0000  -0.0100   not shown",
        "seeds 11 12, 20 epochs each, a short schedule: the search's had 60",
        "ablation of t0004: so it is",
        "recipe: {dropout: 0.1234567, warmup_epochs: 5}",
    ]


def test_a_whole_schedule_is_not_called_short(ablation):
    shown = describe_ablation(dataclasses.replace(ablation, epochs=60))
    assert "seeds 11 12, 60 epochs each" in shown.splitlines()
