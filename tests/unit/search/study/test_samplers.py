import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution

from search.study.config import loads
from search.study.samplers import distributions, hashed_seed, make_sampler
from search.study.sections import SamplerConfig
from search.study.space import StudyConfig

SPACE = {"x": FloatDistribution(0, 1), "k": IntDistribution(0, 9)}
PARTS = st.lists(st.integers(0, 2**40), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param((0,), 804681139, id="one-part"),
        pytest.param((0, 1), 1419524863, id="two-parts"),
        pytest.param((7, 63, 1), 1169982113, id="three-parts"),
    ],
)
def test_a_hashed_seed_is_the_same_for_ever(parts, expected):
    assert hashed_seed(*parts) == expected


@given(PARTS)
def test_a_hashed_seed_is_one_that_every_library_takes(parts):
    assert 0 <= hashed_seed(*parts) < 2**31


@given(PARTS, PARTS)
def test_other_parts_give_another_seed(first, second):
    if first != second:
        assert hashed_seed(*first) != hashed_seed(*second)


def test_digits_do_not_wander_between_the_parts():
    assert len({hashed_seed(1, 11), hashed_seed(11, 1), hashed_seed(111)}) == 3


def suggestions(config, *, seed, num=8):
    """Ask with a fresh sampler each time, as the ledger does; higher x is better."""
    study = optuna.create_study(direction="maximize")
    for number in range(num):
        study.sampler = make_sampler(config, seed=hashed_seed(seed, number))
        trial = study.ask(fixed_distributions=SPACE)
        study.tell(trial, trial.params["x"])
    return [t.params for t in study.trials]


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_a_fresh_sampler_a_trial_needs_nothing_but_the_seed_and_the_history(name):
    config = SamplerConfig(name=name, num_startup=3)
    assert suggestions(config, seed=1) == suggestions(config, seed=1)
    assert suggestions(config, seed=1) != suggestions(config, seed=2)
    xs = [params["x"] for params in suggestions(config, seed=1)]
    assert len(set(xs)) == len(xs)


def test_tpe_draws_at_random_until_it_has_seen_enough():
    early, late = (SamplerConfig(name="tpe", num_startup=k) for k in (3, 6))
    assert suggestions(early, seed=0)[:3] == suggestions(late, seed=0)[:3]
    assert suggestions(early, seed=0)[3:6] != suggestions(late, seed=0)[3:6]


def test_each_name_is_the_sampler_it_says():
    kinds = {n: type(make_sampler(SamplerConfig(name=n), seed=0)) for n in ("tpe", "random")}
    assert kinds == {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}


def spread(values):
    return sum(abs(a - b) for a in values for b in values) / len(values) ** 2


def test_tpe_keeps_away_from_what_is_running():
    config = SamplerConfig(name="tpe", num_startup=2)

    def study():
        study = optuna.create_study(direction="maximize")
        for x in (0.1, 0.5, 0.9):
            study.enqueue_trial({"x": x, "k": 5})
            study.tell(study.ask(fixed_distributions=SPACE), -abs(x - 0.5))
        return study

    def ask(study, number):
        study.sampler = make_sampler(config, seed=hashed_seed(0, number))
        return study.ask(fixed_distributions=SPACE).params["x"]

    together = study()  # nothing is told: each suggestion knows that the others are running
    assert spread([ask(together, k) for k in range(24)]) > 1.2 * spread(
        [ask(study(), k) for k in range(24)]
    )


STUDY = """\
study: {min_epochs: 1}
train: {warmup_epochs: 0}
space:
  weight_decay: {low: 1e-5, high: 0.5, log: true}
  crop_padding: {low: 0, high: 8}
  batch_size: {low: 32, high: 256, log: true}
baseline: {weight_decay: 1e-3, crop_padding: 4, batch_size: 128}
"""


def test_the_space_in_optunas_terms_has_the_bounds_and_kinds_of_the_file():
    assert distributions(loads(STUDY, StudyConfig)) == {
        "weight_decay": FloatDistribution(1e-5, 0.5, log=True),
        "crop_padding": IntDistribution(0, 8),
        "batch_size": IntDistribution(32, 256, log=True),
    }
