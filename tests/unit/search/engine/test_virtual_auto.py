"""`auto` in virtual time: it stops early where early ranks tell the end, and only there."""

from pathlib import Path

import pytest

from search.engine.curves import make_family
from search.engine.virtual import simulate
from search.study.policies import parse_policy, with_budget
from search.study.space import load_study

REG = load_study(Path(__file__).parents[4] / "search_spaces" / "reg.yaml")
AUTO = with_budget(parse_policy("tpe+auto:25%,2").applied(REG), num_trials=20)
SEEDS = (0, 1, 2)
HALF = 30


@pytest.fixture(scope="module")
def stopped_early():
    """A function that counts, over three seeds, the trials stopped before half of the schedule."""

    def count(family):
        curves = make_family(family, AUTO)
        outcomes = [simulate(AUTO, curves, workers=4, seed=seed) for seed in SEEDS]
        exempt = [trial for outcome in outcomes for trial in outcome.trials[:8]]
        assert {(t.state, t.epochs) for t in exempt} == {("COMPLETE", 60)}
        trials = [trial for outcome in outcomes for trial in outcome.trials]
        return sum(t.state == "PRUNED" and t.epochs < HALF for t in trials)

    return count


@pytest.mark.parametrize("family", ["crossing-none", "hartmann-good"])
def test_where_early_ranks_tell_trials_are_stopped_early(stopped_early, family):
    assert stopped_early(family) >= 10  # of 36 that may be


def test_where_curves_cross_nobody_is_stopped_early(stopped_early):
    assert stopped_early("crossing-strong") == 0
