"""The JSON Schema of a study file says what the loader says, but for what holds between keys."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from generator.fields import fields_of
from generator.schema import study_schema
from search.study.config import loads
from search.study.consistency import SET_BY_TRIAL
from search.study.source import Source
from search.study.space import StudyConfig
from seresnet.config import TrainConfig
from seresnet.errors import ConfigError

ROOT = Path(__file__).parents[4]
SPACES = sorted((ROOT / "search_spaces").glob("*.yaml"))
SCHEMA = json.loads(study_schema())
VALIDATOR = Draft7Validator(SCHEMA)
LEAST = {
    "study": {"num_trials": 1, "min_epochs": 1, "max_epochs": 1},
    "train": {"warmup_epochs": 0},
    "space": {"dropout": {"low": 0.0, "high": 0.5}},
    "baseline": {"dropout": 0.2},
}
"""A file in which every setting may take its smallest value."""


def changed(key, value):
    """The least file with another value at a dotted key."""
    data = json.loads(json.dumps(LEAST))
    *sections, name = key.split(".")
    target = data
    for section in sections:
        target = target.setdefault(section, {})
    target[name] = value
    return data


def complaints(data):
    """What the loader has against a file."""
    try:
        loads(yaml.safe_dump(data, default_flow_style=True), StudyConfig, refused=SET_BY_TRIAL)
    except ConfigError as error:
        return error.message.splitlines()
    return []


def ranges():
    """Each dotted key of a number with a range, and values just inside and just outside of it."""
    for section in fields_of(StudyConfig):
        if section.name in ("space", "baseline", "recipes", "trainable"):
            continue
        for field in fields_of(section.kind):
            key, bounds = f"{section.name}.{field.name}", field.bounds
            if bounds is None or isinstance(field.default, tuple) or key in SET_BY_TRIAL:
                continue
            is_whole = isinstance(field.default, int) or "int" in str(field.kind)
            step = 1 if is_whole else 0.001
            inside, outside = [bounds.low], [bounds.low - step]
            if bounds.is_low_open:
                inside, outside = [bounds.low + step], [bounds.low, bounds.low - step]
            if bounds.high is not None:
                inside.append(bounds.high - step if bounds.is_high_open else bounds.high)
                outside.append(bounds.high if bounds.is_high_open else bounds.high + step)
            yield pytest.param(key, inside, outside, id=key)


def test_schema_is_one():
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.name)
def test_every_study_file_of_the_project_is_valid(path):
    source = Source(path.name, path.read_text(), {})
    data = source.read(source.root, "")
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.name)
def test_every_study_file_says_what_it_asks_and_where_its_schema_is(path):
    comments = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        comments.append(line)
    assert comments[0].startswith("# Asks:")
    assert comments[-1] == "# yaml-language-server: $schema=study.schema.json"


@pytest.mark.parametrize(("key", "inside", "outside"), list(ranges()))
def test_schema_and_loader_draw_the_same_bounds(key, inside, outside):
    for value in inside:
        data = changed(key, value)
        assert complaints(data) == []
        assert VALIDATOR.is_valid(data), value
    for value in outside:
        data = changed(key, value)
        assert any(f"{key}: " in line for line in complaints(data)), value
        assert not VALIDATOR.is_valid(data), value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study.max_failed", "auto"), ("study.max_hours", 0.5), ("data.num_train", None),
        ("space.weight_decay", {"low": 1e-5, "high": 5e-3, "log": True}),
        ("space.batch_size", {"low": 32, "high": 32}), ("recipes.v1.2", {"dropout": 0.1}),
        ("recipes", {}), ("train.channels", [8, 8, 8, 8]), ("train.std", [1, 0.5, 0.1]),
        ("resources.cpus_per_trial", 0.5), ("resources.gpus_per_trial", "auto"),
        ("confirm.seeds", [1, 2]), ("retrain.train", {"nesterov": True, "lr": 1}),
    ],
)  # fmt: skip
def test_what_the_loader_takes_is_valid(key, value):
    data = changed(key, value)
    if key == "recipes.v1.2":
        data = {**LEAST, "study": LEAST["study"] | {"num_trials": 2}, "recipes": {"v1.2": value}}
    if key.startswith("space."):
        data["baseline"][key.removeprefix("space.")] = value["high"]
    assert complaints(data) == []
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("studdy", {}), ("study.max_epoch", 3), ("data.sauce", "cifar10"), ("train.dropuot", 0.1),
        ("study.num_trials", "64"), ("study.num_trials", 1.5), ("study.num_trials", True),
        ("study.num_trials", "auto"), ("study.max_hours", "auto"), ("study.max_epochs", None),
        ("study", None), ("data.source", "cifar100"), ("data.num_val", -1),
        ("space", {}), ("space.drop", {"low": 0, "high": 1}), ("space.seed", {"low": 0, "high": 1}),
        ("space.dropout.high", 1.5), ("space.dropout.log", True), ("space.dropout.max", 0.5),
        ("space.dropout", {"low": 0.0}), ("space.dropout", [0.0, 0.5]),
        ("space.crop_padding", {"low": 0.5, "high": 2}),
        ("baseline", {}), ("baseline.dropout", "0.2"), ("baseline.nesterov", True),
        ("recipes.baseline", {"dropout": 0.1}), ("recipes", {"../up": {"dropout": 0.1}}),
        ("recipes", {"plain": {}}), ("recipes", {"plain": 0.1}),
        ("train.epochs", 250), ("train.seed", 1), ("train.nesterov", 1),
        ("train.channels", [8, 8, 8]), ("train.channels", [8, 8, 8, 4]), ("train.mean", 0.5),
        ("sampler.name", "tpee"), ("pruner.rungs", None), ("confirm.seeds", [1]),
        ("confirm.seeds", [1, 1]), ("retrain.seeds", []), ("retrain.seeds", [-1]),
        ("retrain.seeds", [0.5]), ("retrain.train", {"seed": 1}),
        ("retrain.train", {"channels": [8, 8, 8, 8]}), ("retrain.mirror", "true"),
    ],
)  # fmt: skip
def test_what_the_loader_refuses_is_not_valid(key, value):
    data = changed(key, value)
    assert complaints(data) != []
    assert not VALIDATOR.is_valid(data)


@pytest.mark.parametrize("key", ["study", "space", "baseline"])
def test_what_must_be_given_is_required(key):
    data = {name: value for name, value in LEAST.items() if name != key}
    assert any(f"{key}: must be given" in line for line in complaints(data))
    assert not VALIDATOR.is_valid(data)


def test_an_editor_is_told_what_a_key_means_and_what_it_is_when_left_out():
    properties = SCHEMA["properties"]
    trials = properties["study"]["properties"]["num_trials"]
    assert trials["default"] == 64
    assert "baseline and recipes included" in trials["description"]
    decay = properties["space"]["properties"]["weight_decay"]
    assert decay["description"] == "L2 penalty; >= 0."
    assert properties["train"]["properties"]["lr"]["default"] == TrainConfig().lr
    # what a retraining leaves out is the winner's
    assert "default" not in properties["retrain"]["properties"]["train"]["properties"]["lr"]
