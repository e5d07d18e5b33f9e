import math

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from fakes import HOST, result
from search.study.config import loads
from search.study.expected import expected_final
from search.study.ledger import Ledger
from search.study.samplers import distributions, hashed_seed, make_sampler
from search.study.space import StudyConfig

SEARCH = """\
study: {num_trials: 12, min_epochs: 1, max_epochs: 1, seed: SEED}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.9}
  weight_decay: {low: 1e-5, high: 1e-1, log: true}
  crop_padding: {low: 0, high: 8}
baseline: {dropout: 0.5, weight_decay: 1e-3, crop_padding: 4}
sampler: {name: NAME, num_startup: STARTUP}
pruner: {name: asha, rungs: fixed}
"""
NAMES = ("tpe", "gp", "random", "qmc")


def study_with(name, *, startup=3, seed=1):
    texts = {"NAME": name, "STARTUP": str(startup), "SEED": str(seed)}
    text = SEARCH
    for key, value in texts.items():
        text = text.replace(key, value)
    return loads(text, StudyConfig)


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


def suggestions(config, *, num=8):
    """Ask with a fresh sampler each time, as the ledger does; higher dropout is better."""
    study = optuna.create_study(direction="maximize")
    for number in range(num):
        study.sampler = make_sampler(config, number=number)
        trial = study.ask(fixed_distributions=distributions(config))
        study.tell(trial, trial.params["dropout"])
    return [t.params for t in study.trials]


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_sampler_a_trial_needs_nothing_but_the_seed_and_the_history(name):
    once = suggestions(study_with(name))
    assert once == suggestions(study_with(name))
    assert once != suggestions(study_with(name, seed=2))
    assert all(params not in once[:k] for k, params in enumerate(once))


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_model_draws_at_random_until_it_has_seen_enough(name):
    early, late = (suggestions(study_with(name, startup=k)) for k in (3, 6))
    assert early[:3] == late[:3]
    assert early[3:6] != late[3:6]


def test_each_name_is_the_sampler_it_says():
    kinds = {name: make_sampler(study_with(name), number=0) for name in NAMES}
    assert type(kinds["tpe"]) is optuna.samplers.TPESampler
    assert type(kinds["random"]) is optuna.samplers.RandomSampler
    assert isinstance(kinds["gp"], optuna.samplers.GPSampler)
    assert type(kinds["qmc"]).__name__ == "SobolSampler"


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class MortalStorage(InMemoryStorage):
    """Dies before the nth value of a setting is stored, once."""

    num_left = -1

    def set_trial_param(self, *arguments):
        self.num_left -= 1
        if self.num_left == -1:
            raise Killed
        super().set_trial_param(*arguments)


def finish(ledger):
    """Work as one worker until nothing is left; return all settings."""
    while (suggestion := ledger.suggest()) is not None:
        value = result(1, suggestion.params["dropout"])
        ledger.report(suggestion.number, value, HOST, attempt=suggestion.attempt)
    return [trial.params for trial in ledger.trials]


@pytest.mark.parametrize("num_stored", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_suggestion_that_a_kill_cut_short_comes_out_as_it_would_have(name, num_stored):
    config = study_with(name)
    storage = MortalStorage()
    storage.num_left = 8 * len(config.space) + num_stored
    with pytest.raises(Killed):
        finish(Ledger.open(storage, config))
    resumed = finish(Ledger.open(storage, config))
    assert resumed == finish(Ledger.open(InMemoryStorage(), config))


def test_trial_k_of_a_sobol_search_takes_point_k_whatever_was_before_it():
    config = study_with("qmc")
    study = optuna.create_study(direction="maximize")
    study.sampler = make_sampler(config, number=0)
    skipped = [study.ask() for _ in range(5)]
    assert [trial.number for trial in skipped] == [0, 1, 2, 3, 4]
    study.sampler = make_sampler(config, number=5)
    assert study.ask(distributions(config)).params == suggestions(config)[5]


def test_sixteen_points_of_a_sobol_search_fall_into_sixteen_equal_parts():
    points = suggestions(study_with("qmc"), num=16)
    shares = [params["dropout"] / 0.9 for params in points]
    logs = [math.log(params["weight_decay"] / 1e-5) / math.log(1e4) for params in points]
    for values in (shares, logs):
        assert sorted(int(16 * value) for value in values) == list(range(16))
    assert {params["crop_padding"] for params in points} == set(range(9))


def spread(values):
    return sum(abs(a - b) for a in values for b in values) / len(values) ** 2


def test_tpe_keeps_away_from_what_is_running():
    config = study_with("tpe", startup=2, seed=0)
    space = {"x": FloatDistribution(0, 1), "k": IntDistribution(0, 9)}

    def study():
        study = optuna.create_study(direction="maximize")
        for x in (0.1, 0.5, 0.9):
            study.enqueue_trial({"x": x, "k": 5})
            study.tell(study.ask(fixed_distributions=space), -abs(x - 0.5))
        return study

    def ask(study, number):
        study.sampler = make_sampler(config, number=number)
        return study.ask(fixed_distributions=space).params["x"]

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


def after(*trials):
    """Return what gp suggests after trials of (dropout, state, values by epoch, value)."""
    config = study_with("gp", startup=1)
    space, study = distributions(config), optuna.create_study(direction="maximize")
    for dropout, state, values, value in trials:
        params = {"dropout": dropout, "weight_decay": 1e-3, "crop_padding": 4}
        by_epoch = dict(enumerate(values, 1))
        trial = create_trial(
            state=state,
            params=params,
            distributions=space,
            value=value,
            intermediate_values=by_epoch,
        )
        study.add_trial(trial)
    study.sampler = make_sampler(config, number=len(trials))
    return study.ask(fixed_distributions=space).params


# What is better at the first epoch is better at the end.
WHOLE = [(0.1 * k, TrialState.COMPLETE, [0.1 * k] * 2, 0.1 * k) for k in (1, 2, 3, 4, 5)]


def test_gp_takes_a_stopped_trial_for_one_that_came_to_its_expected_end():
    stopped = (0.8, TrialState.PRUNED, [0.2], 0.2)
    expected = expected_final([0.2], [values for _, _, values, _ in WHOLE])
    ended = (0.8, TrialState.COMPLETE, [expected] * 2, expected)
    assert expected == pytest.approx(0.2)
    assert after(*WHOLE, stopped) == after(*WHOLE, ended)
    assert after(*WHOLE, stopped)["dropout"] < 0.8 < after(*WHOLE)["dropout"]


def test_gp_does_not_believe_a_stopped_trials_last_value():
    late = [(d, state, [0.1, value], value) for d, state, _, value in WHOLE]
    stopped = (0.8, TrialState.PRUNED, [0.01], 0.01)  # there all were alike
    middle = (0.8, TrialState.COMPLETE, [0.1, 0.3], 0.3)
    assert after(*late, stopped) == after(*late, middle)


def test_gp_is_told_nothing_of_a_stopped_trial_that_four_whole_curves_do_not_judge():
    few, stopped = WHOLE[:3], (0.8, TrialState.PRUNED, [0.2], 0.2)
    failed = (0.8, TrialState.FAIL, [], None)
    assert after(*few, stopped) == after(*few, failed)


def test_gp_suggests_to_six_digits_so_that_another_processor_suggests_the_same():
    asked = suggestions(study_with("gp"))[3:]
    assert all(
        p[name] == float(f"{p[name]:.6g}") for p in asked for name in ("dropout", "weight_decay")
    )
    assert all(0 <= p["dropout"] <= 0.9 and 1e-5 <= p["weight_decay"] <= 0.1 for p in asked)
