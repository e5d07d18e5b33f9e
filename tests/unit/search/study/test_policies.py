"""Policies by name: what they replace in a study, and what is no policy."""

from pathlib import Path

import pytest

from search.study.policies import parse_policy, parse_rungs, with_budget
from search.study.space import load_study
from seresnet.errors import ConfigError

REG = load_study(Path(__file__).parents[4] / "search_spaces" / "reg.yaml")


def told(config):
    budget = config.study
    rungs = budget.min_epochs, budget.reduction_factor
    return config.sampler.name, config.pruner.name, *rungs


@pytest.mark.parametrize(
    ("name", "expected", "times"),
    [
        pytest.param("study", ("auto", "asha", 20, 2), 1, id="as-the-file-says"),
        pytest.param("none", ("auto", "none", 20, 2), 1, id="nobody-is-stopped"),
        pytest.param("gp+none", ("gp", "none", 20, 2), 1, id="sampler-and-pruner"),
        pytest.param("random+none+x2", ("random", "none", 20, 2), 2, id="twice-the-budget"),
        pytest.param("tpe+asha:1,4", ("tpe", "asha", 1, 4), 1, id="inside-the-warm-up"),
        pytest.param("qmc+asha:25%,2", ("qmc", "asha", 15, 2), 1, id="share"),
        pytest.param("auto", ("auto", "asha", 20, 2), 1, id="the-studys-own-curves"),
        pytest.param("auto:25%,3", ("auto", "asha", 15, 3), 1, id="no-earlier-than"),
        pytest.param("asha:60,3", ("auto", "asha", 60, 3), 1, id="no-rung-before-the-last"),
    ],
)
def test_a_policy_replaces_what_it_names(name, expected, times):
    policy = parse_policy(name)
    assert told(policy.applied(REG)) == expected
    assert policy.times == times
    assert policy.name == name


def test_rungs_are_chosen_under_auto_alone():
    for name, rungs in (("auto", "auto"), ("auto:15,2", "auto"), ("asha:15,2", "fixed")):
        assert parse_policy(name).applied(REG).pruner.rungs == rungs
    auto = parse_policy("auto").applied(REG)
    for name in ("none", "asha:1,4"):
        assert parse_policy(name).applied(auto).pruner.rungs == "fixed"


def test_a_policy_leaves_the_study_as_it_was():
    before = told(REG)
    parse_policy("random+asha:1,4").applied(REG)
    assert told(REG) == before


def test_another_budget_keeps_all_the_rest():
    changed = with_budget(REG, seed=9, min_epochs=1)
    assert (changed.study.seed, changed.study.min_epochs) == (9, 1)
    assert changed.space is REG.space
    assert with_budget(changed, seed=0, min_epochs=20) == REG


@pytest.mark.parametrize(
    "name",
    [
        "tpee",
        "asha",
        "asha:",
        "asha:1",
        "asha:1,1",
        "asha:x,2",
        "asha:-1,2",
        "auto:1",
        "asha:²,2",
        "x²",
        "x0",
        "x",
        "",
        "tpe+",
    ],
)
def test_what_has_no_meaning_is_refused_with_what_has(name):
    with pytest.raises(ConfigError, match="unknown part") as caught:
        parse_policy(name)
    assert caught.value.message.startswith(f"--policy {name}: ")
    assert "asha:MIN_EPOCHS,FACTOR" in caught.value.hint


def test_a_near_miss_is_named():
    with pytest.raises(ConfigError, match="did you mean random"):
        parse_policy("randm+none")


@pytest.mark.parametrize("name", ["asha:0,2", "asha:61,2", "asha:200%,2"])
def test_a_first_rung_beyond_the_last_is_refused(name):
    with pytest.raises(ConfigError, match=r"first rung must be in \[1, 60\]"):
        parse_policy(name).applied(REG)


@pytest.mark.parametrize(
    ("text", "pruner", "rungs", "first", "factor"),
    [
        pytest.param("none", "none", "fixed", 20, 2, id="none"),
        pytest.param("auto", "asha", "auto", 20, 2, id="auto"),
        pytest.param("auto:16,3", "asha", "auto", 16, 3, id="auto-from"),
        pytest.param("30,4", "asha", "fixed", 30, 4, id="fixed"),
        pytest.param("25%,2", "asha", "fixed", 15, 2, id="share"),
        pytest.param("asha:30,4", "asha", "fixed", 30, 4, id="as-a-policy"),
    ],
)
def test_rungs_alone_change_no_other_part(text, pruner, rungs, first, factor):
    changed = parse_rungs(text).applied(REG)
    assert (changed.pruner.name, changed.pruner.rungs) == (pruner, rungs)
    assert (changed.study.min_epochs, changed.study.reduction_factor) == (first, factor)
    assert (changed.sampler, changed.space) == (REG.sampler, REG.space)


@pytest.mark.parametrize(
    "text", ["", "study", "tpe", "none+x2", "random+none", "20", "20,1", "auto:", "-1,2", "2,x"]
)
def test_what_is_no_rungs_is_refused_by_its_flag(text):
    with pytest.raises(ConfigError, match="must be auto, none or EPOCH,FACTOR") as caught:
        parse_rungs(text)
    assert caught.value.message.startswith(f"--rungs {text}: ")
    assert "--rungs 20,2" in caught.value.hint


def test_rungs_beyond_the_last_are_refused_by_their_flag():
    with pytest.raises(ConfigError, match=r"^--rungs 61,2: first rung must be in \[1, 60\]"):
        parse_rungs("61,2").applied(REG)
