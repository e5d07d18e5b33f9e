"""The best at the end of a range: to be widened, at its natural limit, or by chance."""

import dataclasses

import pytest

from fakes import CONFIG, make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.edges import check_edges
from search.study.policies import with_budget
from search.study.sections import Domain


def with_space(config=CONFIG, **domains):
    middle = {name: (d.low + d.high) / 2 for name, d in domains.items()}
    return dataclasses.replace(config, space=domains, baseline=middle, recipes={})


def study(config, *rows):
    """A study whose trials have these parameters, the best first."""
    trials = [
        trial(number, [0.9 - number / 100] * 4, params=dict(zip(config.space, row, strict=True)))
        for number, row in enumerate(rows)
    ]
    return make_snapshot(trials, config)


DROPOUT = with_space(dropout=Domain(low=0.0, high=0.5))
DECAY = with_space(weight_decay=Domain(low=1e-5, high=5e-3, log=True))
LONG = with_budget(CONFIG, min_epochs=6, max_epochs=12)
WARMUP = with_space(LONG, warmup_epochs=Domain(low=0, high=4))


def test_a_winner_in_the_middle_passes():
    found = check_edges(study(DROPOUT, [0.2], [0.49], [0.1], [0.3]))
    assert found.status is Status.PASS
    assert (
        found.sentence
        == "the winner, t0000 (baseline), lies inside every range, and most of the best with it"
    )


def test_a_crowd_at_an_end_is_a_warning_that_says_which_way_to_widen():
    found = check_edges(study(DROPOUT, [0.49], [0.5], [0.1], [0.3]))
    assert found.status is Status.WARNING
    assert found.sentence == (
        "dropout: 2 of the best 3 trials lie in the highest 5% of 0 to 0.5, and so does the "
        "winner, t0000 (baseline), with 0.49"
    )
    assert found.advice == "set space.dropout.high to 0.75: search again under another --name"


def test_a_limit_of_the_setting_itself_is_told_and_passes():
    found = check_edges(study(DROPOUT, [0.0], [0.01], [0.1], [0.3]))
    assert found.status is Status.PASS
    assert "the lowest 5% of 0 to 0.5" in found.sentence
    assert found.sentence.endswith("; the setting itself ends there")
    assert found.advice == ""


def test_a_winner_alone_at_an_end_is_told_and_passes():
    found = check_edges(study(DROPOUT, [0.5], [0.2], [0.1], [0.3]))
    assert found.status is Status.PASS
    assert found.sentence.endswith("but 1 of the best 3 do, as chance would have it")


def test_most_of_the_best_at_an_end_are_a_warning_without_the_winner():
    found = check_edges(study(DROPOUT, [0.2], [0.49], [0.5], [0.3]))
    assert found.status is Status.WARNING
    assert found.sentence.startswith("dropout: 2 of the best 3 trials lie in the highest 5%")


def test_a_logarithmic_range_has_its_edge_in_logarithms():
    inside = check_edges(study(DECAY, [2e-5], [2e-5], [1e-3]))
    assert inside.status is Status.PASS
    assert "inside every range" in inside.sentence
    found = check_edges(study(DECAY, [1.2e-5], [1.1e-5], [1e-3]))
    assert found.advice.startswith("set space.weight_decay.low to 1e-06")


def test_a_range_of_few_whole_numbers_has_its_last_ones_for_edges():
    inside = check_edges(study(WARMUP, [3], [3], [2]))
    assert "inside every range" in inside.sentence
    found = check_edges(study(WARMUP, [4], [4], [2]))
    assert found.status is Status.WARNING
    assert "set space.warmup_epochs.high to 6 (study.min_epochs must then be > 6)" in found.advice


@pytest.mark.parametrize("num", [0, 1, 2])
def test_few_trials_cannot_tell(num):
    found = check_edges(study(DROPOUT, *[[0.5]] * num))
    assert found.status is Status.WARNING
    assert "cannot tell: it takes 3" in found.sentence


def test_a_fixed_setting_has_no_edges():
    config = with_space(dropout=Domain(low=0.2, high=0.2))
    assert check_edges(study(config, [0.2], [0.2], [0.2])).status is Status.PASS
