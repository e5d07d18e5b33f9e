"""The study of another trainable than the SE-ResNet: its own names, its own integers."""

from dataclasses import replace

import pytest

from search.study.config import loads
from search.study.samplers import distributions
from search.study.sections import Budget, Domain
from search.study.space import StudyConfig, changed_keys, dump_study, load_study
from seresnet.errors import ConfigError

SPACE = {
    "alpha": Domain(low=1e-6, high=1.0, log=True),
    "depth": Domain(low=1, high=9, integer=True),
}


def study(**changes):
    settings = {
        "study": Budget(num_trials=3, min_epochs=1, max_epochs=4), "space": SPACE,
        "baseline": {"alpha": 0.1, "depth": 3}, "trainable": "train",
    }  # fmt: skip
    return StudyConfig(**{**settings, **changes})


def test_names_need_not_be_settings_of_the_seresnet():
    config = study()
    assert (config.is_integer("depth"), config.is_integer("alpha")) == (True, False)
    assert [type(d).__name__ for d in distributions(config).values()] == [
        "FloatDistribution", "IntDistribution",
    ]  # fmt: skip


def test_its_file_says_nothing_of_networks_and_images_and_loads_back_equal():
    config = study()
    text = dump_study(config)
    assert loads(text, StudyConfig) == config
    assert "trainable: train" in text
    assert "depth: {low: 1, high: 9, log: false, integer: true}" in text
    assert not {"data:", "train:", "retrain:"} & set(text.split())


def test_the_file_of_a_seresnet_says_nothing_of_trainables(study_config):
    assert "trainable" not in dump_study(study_config)
    assert "integer" not in dump_study(study_config)


def test_another_trainable_is_another_study():
    assert changed_keys(study(), study(trainable="fit")) == ["trainable: train -> fit"]


BAD = {
    "column": (
        {"space": {"seed": SPACE["alpha"]}, "baseline": {"seed": 0.1}},
        "space.seed: must h",
    ),
    "name": (
        {"space": {"a b": SPACE["alpha"]}, "baseline": {"a b": 0.1}},
        "space.a b: must be a n",
    ),
    "nothing": ({"space": {}, "baseline": {}}, "space: must name at least one"),
    "half": ({"baseline": {"alpha": 0.1, "depth": 2.5}}, "baseline.depth: must be a whole number"),
    "bound": (
        {"space": {**SPACE, "depth": Domain(low=0.5, high=9, integer=True)}},
        "space.depth.low: must be a whole number, got 0.5",
    ),
    "absent": ({"baseline": {"alpha": 0.1}}, "baseline.depth: must be given, because space.depth"),
    "outside": ({"baseline": {"alpha": 2.0, "depth": 2}}, "baseline.alpha: must be in"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_the_rules_of_every_study_hold(changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        study(**changes)


def test_an_integer_is_said_of_another_trainables_domains_alone(study_config):
    space = {**study_config.space, "dropout": Domain(low=0, high=0.5, integer=True)}
    with pytest.raises(ValueError, match=r"space\.dropout\.integer: must be left out"):
        replace(study_config, space=space)


def test_a_command_refuses_the_file_in_one_line(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(dump_study(study()))
    with pytest.raises(ConfigError, match=r"trainable: must be left to search\.api.*, got train$"):
        load_study(path)
