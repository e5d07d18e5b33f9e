"""Each reason why two studies may not compare, and that equal ones do."""

import dataclasses

import pytest

import fakes
from fakes import make_snapshot, trial
from search.study.checks.check import Status
from search.study.config import loads
from search.study.fairness import check_fairness
from search.study.records import Host
from search.study.space import StudyConfig

H100 = Host(node="there", device="cuda, NVIDIA H100", dtype="bfloat16", threads=1)
IMAGES = {"train_sha256": "a" * 64, "val_sha256": "b" * 64}


def study(*, name="one", config=fakes.CONFIG, images=IMAGES, num=8, host=fakes.HOST, state=None):
    """A study with its trials at their ends, or the last in another state."""
    trials = [trial(k, [0.5] * 4, host=host) for k in range(num)]
    if state:
        trials[-1].state = state
    made = make_snapshot(trials, config, path=f"results/{name}")
    return dataclasses.replace(made, images=images)


def other(old, new):
    assert old in fakes.STUDY
    return loads(fakes.STUDY.replace(old, new), StudyConfig)


def by_name(*snapshots):
    return {check.name: check for check in check_fairness(snapshots)}


def test_equal_studies_pass_every_check():
    checks = by_name(study(), study(name="two"))
    assert {check.status for check in checks.values()} == {Status.PASS}
    assert "SHA-256 bbbbbbbbbbbb" in checks["same validation images"].sentence
    assert [check.advice for check in checks.values()] == [""] * len(checks)


@pytest.mark.parametrize(
    ("name", "changes", "status", "words"),
    [
        pytest.param(
            "same validation images", {"images": {**IMAGES, "val_sha256": "c" * 64}},
            Status.FAIL, "different images (one 256, two 256)", id="validation",
        ),
        pytest.param(
            "same validation images", {"images": {}},
            Status.WARNING, "has kept no hash", id="unknown-validation",
        ),
        pytest.param(
            "same training images", {"images": {**IMAGES, "train_sha256": "c" * 64}},
            Status.WARNING, "train on different images", id="training",
        ),
        pytest.param(
            "same training images", {"images": {}}, Status.WARNING, "nobody can tell",
            id="unknown-training",
        ),
        pytest.param(
            "same schedule", {"config": other("max_epochs: 4", "max_epochs: 8")},
            Status.WARNING, "one 4, two 8", id="schedule",
        ),
        pytest.param(
            "same baseline",
            {"config": other("baseline: {dropout: 0.5", "baseline: {dropout: 0.4")},
            Status.WARNING, "over different settings", id="baseline",
        ),
        pytest.param(
            "same fixed settings",
            {"config": other("train: {warmup_epochs: 0}", "train: {warmup_epochs: 0, lr: 0.2}")},
            Status.WARNING, "differs: train.lr", id="settings",
        ),
        pytest.param(
            "equal effort", {"num": 6}, Status.WARNING, "one 32, two 24", id="effort",
        ),
        pytest.param(
            "at their ends", {"num": 6}, Status.WARNING, "not finished: two", id="too-few",
        ),
        pytest.param(
            "at their ends", {"state": "RUNNING"}, Status.WARNING, "not finished: two",
            id="running",
        ),
        pytest.param(
            "same machines", {"host": H100},
            Status.WARNING, "one cpu (float32), two cuda, NVIDIA H100 (bfloat16)", id="machines",
        ),
    ],
)  # fmt: skip
def test_what_makes_a_comparison_unfair_is_told_with_a_remedy(name, changes, status, words):
    check = by_name(study(), study(name="two", **changes))[name]
    assert check.status is status
    assert words in check.sentence
    assert check.advice


def test_many_settings_that_differ_are_counted():
    many = "warmup_epochs: 0, lr: 0.2, momentum: 0.8, batch_size: 64, cutout_size: 0, hue: 0.1"
    config = other("train: {warmup_epochs: 0}", f"train: {{{many}}}")
    check = by_name(study(), study(name="two", config=config))["same fixed settings"]
    assert check.sentence.endswith(" and 1 more")


def test_another_trainable_maximises_something_else():
    config = dataclasses.replace(fakes.CONFIG, trainable="mine:train")
    foreign = study(name="two", config=config)
    assert by_name(study(), foreign)["same objective"].status is Status.FAIL
    both = by_name(study(config=config), foreign)["same objective"]
    assert both.status is Status.WARNING


def test_efforts_that_differ_by_a_trial_of_twenty_are_equal():
    a, b = study(num=20), study(name="two", num=21)
    assert by_name(a, b)["equal effort"].status is Status.PASS
