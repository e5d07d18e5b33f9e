"""Who suggests under `sampler: auto`, and what is said of it."""

import pytest

from search.study.config import loads
from search.study.modeller import MOST_TRIALS, describe_modeller, modeller
from search.study.space import StudyConfig

STUDY = """\
study: {num_trials: 64, min_epochs: 2, max_epochs: 8}
train: {warmup_epochs: 0}
space: {dropout: {low: 0.0, high: 0.5}}
baseline: {dropout: 0.2}
"""


def study_with(end="", **changes):
    text = STUDY + end
    for old, new in changes.items():
        text = text.replace(old, new)
    return loads(text, StudyConfig)


def test_without_a_word_the_sampler_is_chosen_and_the_first_trials_are_drawn():
    config = study_with()
    chosen = [modeller(config, number) for number in range(64)]
    assert chosen == ["random"] * 8 + ["gp"] * 56


def test_who_suggests_a_trial_does_not_depend_on_how_many_there_will_be():
    few, many = study_with(), study_with(**{"num_trials: 64": "num_trials: 999"})
    assert [modeller(few, n) for n in range(400)] == [modeller(many, n) for n in range(400)]
    assert modeller(many, MOST_TRIALS - 1) == "gp"
    assert modeller(many, MOST_TRIALS) == "tpe"


@pytest.mark.parametrize(
    ("end", "number", "expected"),
    [
        pytest.param("sampler: {name: tpe}", 7, "random", id="exempt"),
        pytest.param("sampler: {name: tpe}", 8, "tpe", id="tpe"),
        pytest.param("sampler: {name: qmc}", 0, "qmc", id="one-sequence"),
        pytest.param("pruner: {name: none}", 0, "gp", id="nobody-is-stopped"),
        pytest.param("pruner: {name: asha, rungs: fixed}", 0, "gp", id="fixed-rungs"),
    ],
)
def test_exempt_trials_are_of_no_model(end, number, expected):
    assert modeller(study_with(end), number) == expected


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        pytest.param(
            study_with(),
            "gp, which finds more than tpe in as few trials; "
            "stopped trials count by their expected end",
            id="few",
        ),
        pytest.param(
            study_with("pruner: {name: none}"),
            "gp, which finds more than tpe in as few trials",
            id="nobody-is-stopped",
        ),
        pytest.param(
            study_with("pruner: {name: none}", **{"num_trials: 64": "num_trials: 900"}),
            "gp for 250 of 900 trials, then tpe, since gp would be slow",
            id="many",
        ),
        pytest.param(study_with("sampler: {name: gp}"), "", id="named"),
    ],
)
def test_the_choice_and_its_reason_are_said(config, sentence):
    assert describe_modeller(config) == sentence
