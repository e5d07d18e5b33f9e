import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.study.config import loads
from search.study.space import (
    Budget,
    ConfirmConfig,
    DataConfig,
    Domain,
    PrunerConfig,
    Resources,
    RetrainConfig,
    SamplerConfig,
    StudyConfig,
    changed_keys,
    differing_keys,
    dump_study,
    load_study,
)
from seresnet.config import TrainConfig

SPACES = sorted((Path(__file__).parents[4] / "search_spaces").glob("*.yaml"))
STUDY = """\
study: {num_trials: 4, min_epochs: 4, max_epochs: 8}
train: {warmup_epochs: 1}
space:
  dropout: {low: 0.0, high: 0.5}
  weight_decay: {low: 1e-5, high: 5E-3, log: true}
  warmup_epochs: {low: 0, high: 3}
baseline: {dropout: 0.2, weight_decay: 5e-4, warmup_epochs: 2}
recipes:
  v1.2: {dropout: 0.1, weight_decay: 1e-4, warmup_epochs: 0}
pruner: {name: asha}
retrain: {epochs: 9, seeds: [0, 1]}
"""


@pytest.fixture
def load_text(tmp_path):
    def load(text, **overrides):
        (tmp_path / "s.yaml").write_text(text)
        return load_study(tmp_path / "s.yaml", overrides.get("overrides"))

    return load


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.name)
def test_every_study_file_of_the_project_loads(path):
    config = load_study(path)
    assert loads(dump_study(config), StudyConfig) == config
    assert path.read_text().startswith("#")


def test_the_seed_recipe_is_the_baseline_of_the_regularisation_study():
    config = load_study(next(path for path in SPACES if path.name == "reg.yaml"))
    trained = config.trial_config(config.baseline, epochs=250, seed=0)
    assert trained == TrainConfig()
    assert config.study.num_trials * config.study.max_epochs == 3840
    assert config.retrain.epochs * len(config.retrain.seeds) == 750


def test_what_is_left_out_is_the_default(load_text):
    config = load_text(
        "study: {}\nspace: {dropout: {low: 0, high: 0.5}}\nbaseline: {dropout: 0.2}\n"
    )
    assert config == StudyConfig(
        study=Budget(),
        space={"dropout": Domain(low=0.0, high=0.5)},
        baseline={"dropout": 0.2},
    )
    assert config.data == DataConfig(source="cifar10", num_val=5000, num_train=None)
    assert config.resources.gpus_per_trial == "auto"
    assert (config.confirm.top, config.confirm.seeds) == (3, (11, 12, 13))
    assert config.confirm_epochs == config.study.max_epochs


def test_a_confirmation_may_have_a_schedule_of_its_own(load_text):
    assert load_text(STUDY).confirm_epochs == 8
    assert load_text(STUDY + "confirm: {epochs: 20}\n").confirm_epochs == 20


def test_a_flag_overrides_the_file_and_the_resolved_file_shows_it(load_text):
    config = load_text(STUDY, overrides={"study.num_trials": 80, "resources.gpus_per_trial": 0.5})
    assert config.study.num_trials == 80
    assert loads(dump_study(config), StudyConfig).resources.gpus_per_trial == 0.5


def test_a_trial_has_the_types_of_its_fields(load_text):
    config = load_text(STUDY)
    trial = config.trial_config(
        {"dropout": 0, "weight_decay": 1e-4, "warmup_epochs": 2.0}, epochs=8, seed=5
    )
    assert trial == TrainConfig(dropout=0.0, weight_decay=1e-4, warmup_epochs=2, epochs=8, seed=5)
    assert type(trial.warmup_epochs) is int
    assert type(trial.dropout) is float


def test_a_short_schedule_needs_no_shorter_default_warm_up(load_text):
    config = load_text(STUDY.replace("train: {warmup_epochs: 1}\n", ""))
    assert config.train.warmup_epochs == 15
    assert config.trial_config(config.baseline, epochs=8, seed=0).warmup_epochs == 2


def test_integer_fields_make_integer_domains(load_text):
    config = load_text(STUDY)
    assert config.is_integer("warmup_epochs")
    assert not config.is_integer("dropout")
    assert "warmup_epochs: {low: 0, high: 3, log: false}" in dump_study(config)


CHANGES = {
    "domain": ("high: 0.5", "high: 0.4", ["space.dropout.high: 0.5 -> 0.4"]),
    "train": ("train: {w", "train: {lr: 0.2, w", ["train.lr: 0.1 -> 0.2"]),
    "seed": ("{num_trials: 4", "{seed: 3, num_trials: 4", ["study.seed: 0 -> 3"]),
    "recipe": (
        "  v1.2:",
        "  b: {dropout: 0, weight_decay: 1e-3, warmup_epochs: 0}\n  v1.2:",
        [
            "recipes.b.dropout: absent -> 0.0",
            "recipes.b.weight_decay: absent -> 0.001",
            "recipes.b.warmup_epochs: absent -> 0",
        ],
    ),
    "num_trials": ("num_trials: 4", "num_trials: 9", []),
    "max_total_epochs": ("{num_trials: 4", "{max_total_epochs: 32, num_trials: 4", []),
    "resources": ("pruner:", "resources: {cpus_per_trial: 2}\npruner:", []),
    "retrain": ("epochs: 9", "epochs: 10", []),
    "confirm": ("pruner:", "confirm: {top: 0}\npruner:", []),
    "spelling": ("1e-5", "0.00001", []),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes_that_a_begun_study_cannot_survive_are_named(load_text, old, new, expected):
    before, after = load_text(STUDY), load_text(STUDY.replace(old, new))
    assert changed_keys(before, after) == expected


@st.composite
def studies(draw):
    share = st.floats(0, 0.99)
    low, high = sorted((draw(share), draw(share)))
    warmup = draw(st.integers(0, 5))
    inside = st.fixed_dictionaries(
        {"dropout": st.floats(low, high), "warmup_epochs": st.integers(0, warmup).map(float)}
    )
    names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
    recipes = draw(st.dictionaries(names.filter(lambda name: name != "baseline"), inside))
    min_epochs = draw(st.integers(warmup + 1, 20))
    return StudyConfig(
        study=Budget(
            num_trials=1 + len(recipes), min_epochs=min_epochs, seed=draw(st.integers(0, 9))
        ),
        data=DataConfig(source="synthetic", num_train=draw(st.none() | st.integers(1, 10**6))),
        train=TrainConfig(lr=draw(st.floats(1e-12, 1e12)), channels=(8, 9, 10, 11)),
        space={
            "dropout": Domain(low=low, high=high, log=low > 0),
            "warmup_epochs": Domain(low=0, high=warmup),
        },
        baseline=draw(inside),
        recipes=recipes,
        sampler=SamplerConfig(name=draw(st.sampled_from(["auto", "tpe", "gp", "random", "qmc"]))),
        pruner=PrunerConfig(name=draw(st.sampled_from(["asha", "none"]))),
        resources=Resources(gpus_per_trial=draw(st.sampled_from(["auto", 0, 0.25, 1]))),
        confirm=ConfirmConfig(epochs=draw(st.sampled_from(["auto", 30]))),
        retrain=RetrainConfig(seeds=tuple(draw(st.sets(st.integers(0, 99), min_size=1)))),
    )


@settings(max_examples=50, deadline=None)
@given(studies())
def test_a_resolved_study_loads_back_equal(config):
    assert loads(dump_study(config), StudyConfig) == config


def test_a_study_made_in_code_is_checked_too(load_text):
    config = load_text(STUDY)
    with pytest.raises(ValueError, match=r"train\.epochs: must be left to study\.max_epochs"):
        dataclasses.replace(config, train=TrainConfig(epochs=60))


def test_keys_that_differ_between_studies_have_the_value_of_each(study_file):
    first = load_study(study_file)
    text = study_file.read_text()
    text = text.replace("seed: 7", "seed: 8").replace(
        "  plain: {dropout: 0.0, warmup_epochs: 0}\n",
        "  plain: {dropout: 0.0, warmup_epochs: 0}\n  mild: {dropout: 0.1, warmup_epochs: 0}\n",
    )
    study_file.write_text(text)
    second = load_study(study_file)
    assert differing_keys([first, second, first]) == {
        "study.seed": ["7", "8", "7"],
        "recipes.mild.dropout": ["absent", "0.1", "absent"],
        "recipes.mild.warmup_epochs": ["absent", "0", "absent"],
    }
    assert differing_keys([first, first]) == {}
