import dataclasses
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from seresnet.config import TrainConfig

ROOT = Path(__file__).parents[3]
INF, NAN = float("inf"), float("nan")

# Another valid value for every field; the default settings differ from it in that field alone.
CHANGED = {
    "epochs": 251, "batch_size": 64, "lr": 0.2, "lr_end_factor": 0.0, "warmup_epochs": 14,
    "momentum": 0.0, "nesterov": True, "weight_decay": 0.0, "decay_norms": False,
    "label_smoothing": 0.0, "dropout": 0.0, "mixup_alpha": 0.0, "mixup_alpha_end": 0.0,
    "cutmix_probability": 0.5, "flip_probability": 0.0, "alternating_flip": True,
    "trivial_augment": True, "crop_padding": 0, "brightness": 0.0, "contrast": 0.0,
    "saturation": 0.0, "hue": 0.0, "cutout_size": 0,
    "mean": (0.0, 0.0, 0.0), "std": (0.35, 0.35, 0.25), "channels": (32, 64, 128, 255),
    "ema_decay": 0.0, "precision": "fp32", "compile": True, "seed": 1,
}  # fmt: skip


def case(field, value, rule):
    return pytest.param(field, value, rule, id=f"{field}={value}")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        case("epochs", 0, ">= 1"),
        case("batch_size", 1, ">= 2"),
        case("lr", 0.0, "> 0"),
        case("lr", -0.1, "> 0"),
        case("lr_end_factor", -0.01, "in [0, 1]"),
        case("lr_end_factor", 1.01, "in [0, 1]"),
        case("warmup_epochs", -1, ">= 0"),
        case("momentum", -0.1, "in [0, 1)"),
        case("momentum", 1.0, "in [0, 1)"),
        case("weight_decay", -1e-9, ">= 0"),
        case("label_smoothing", -0.1, "in [0, 1)"),
        case("label_smoothing", 1.0, "in [0, 1)"),
        case("dropout", -0.1, "in [0, 1)"),
        case("dropout", 1.0, "in [0, 1)"),
        case("mixup_alpha", -0.1, ">= 0"),
        case("mixup_alpha_end", -0.1, ">= 0"),
        case("cutmix_probability", -0.1, "in [0, 1]"),
        case("cutmix_probability", 1.1, "in [0, 1]"),
        case("flip_probability", -0.1, "in [0, 1]"),
        case("flip_probability", 1.1, "in [0, 1]"),
        case("crop_padding", -1, "in [0, 32]"),
        case("crop_padding", 33, "in [0, 32]"),
        case("brightness", 1.1, "in [0, 1]"),
        case("contrast", 1.1, "in [0, 1]"),
        case("saturation", -0.1, "in [0, 1]"),
        case("hue", 0.51, "in [0, 0.5]"),
        case("cutout_size", -1, "in [0, 32]"),
        case("cutout_size", 33, "in [0, 32]"),
        case("std", (0.35, 0.0, 0.35), "> 0 in each channel"),
        case("channels", (32, 64, 7, 256), ">= 8 in each stage"),
        case("ema_decay", -0.1, "in [0, 1)"),
        case("ema_decay", 1.0, "in [0, 1)"),
        case("precision", "fp16", "auto, bf16 or fp32"),
        case("seed", -1, "in [0, 2**63)"),
        case("seed", 2**63, "in [0, 2**63)"),
        case("lr", INF, "finite"),
        case("weight_decay", INF, "finite"),
        case("mixup_alpha", INF, "finite"),
        case("mixup_alpha_end", NAN, "finite"),
        case("dropout", NAN, "in [0, 1)"),
    ],
)
def test_a_value_out_of_range_is_refused_with_field_rule_and_value(field, value, rule):
    settings = {"warmup_epochs": 0} | {field: value}
    with pytest.raises(ValueError, match=rf"{field}: must be ") as caught:
        TrainConfig(**settings)
    assert f"{field}: must be {rule}, got {value}" in str(caught.value).splitlines()
    assert all(line.startswith(f"{field}: ") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("mean", (NAN, 0.5, 0.5), id="mean-nan"),
        pytest.param("std", (0.35, NAN, 0.35), id="std-nan"),
        pytest.param("std", (0.35, 0.35, INF), id="std-infinite"),
    ],
)
def test_a_channel_that_is_not_finite_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}: must be "):
        TrainConfig(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 1), ("batch_size", 2), ("lr_end_factor", 0.0), ("lr_end_factor", 1.0),
        ("warmup_epochs", 0), ("warmup_epochs", 249), ("momentum", 0.0), ("weight_decay", 0.0),
        ("label_smoothing", 0.0), ("dropout", 0.0), ("mixup_alpha", 0.0), ("mixup_alpha_end", 0.0),
        ("flip_probability", 0.0), ("flip_probability", 1.0), ("crop_padding", 0),
        ("crop_padding", 32), ("brightness", 0.0), ("brightness", 1.0), ("contrast", 1.0),
        ("saturation", 1.0), ("hue", 0.0), ("hue", 0.5), ("cutout_size", 0), ("cutout_size", 32),
        ("channels", (8, 8, 8, 8)), ("ema_decay", 0.0), ("seed", 0), ("seed", 2**63 - 1),
        ("precision", "bf16"), ("precision", "fp32"),
    ],
    ids=lambda value: str(value),
)  # fmt: skip
def test_a_value_on_the_edge_of_its_range_is_accepted(field, value):
    settings = {"warmup_epochs": 0} | {field: value}
    assert getattr(TrainConfig(**settings), field) == value


@pytest.mark.parametrize("warmup_epochs", [20, 25], ids=["as-long", "longer"])
def test_a_warmup_that_fills_the_schedule_is_refused_with_its_length(warmup_epochs):
    rule = rf"^warmup_epochs: must be < epochs \(20\), got {warmup_epochs}$"
    with pytest.raises(ValueError, match=rule):
        TrainConfig(epochs=20, warmup_epochs=warmup_epochs)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        pytest.param(
            {"alternating_flip": True, "flip_probability": 0.4},
            r"flip_probability: must be 0.5 where alternating_flip is true, got 0.4", id="flip",
        ),
        pytest.param(
            {"nesterov": True, "momentum": 0.0},
            r"momentum: must be > 0 where nesterov is true, got 0", id="nesterov",
        ),
    ],
)  # fmt: skip
def test_an_extra_without_what_it_needs_is_refused(settings, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        TrainConfig(**settings)


def test_all_problems_are_told_at_once():
    with pytest.raises(ValueError, match="dropout") as caught:
        TrainConfig(dropout=1.5, lr=-1.0, epochs=5, warmup_epochs=5, precision="int8")
    assert sorted(str(caught.value).splitlines()) == [
        "dropout: must be in [0, 1), got 1.5",
        "lr: must be > 0, got -1.0",
        "precision: must be auto, bf16 or fp32, got int8",
        "warmup_epochs: must be < epochs (5), got 5",
    ]


def test_replace_checks_the_new_settings_too():
    with pytest.raises(ValueError, match=r"dropout: must be in \[0, 1\), got 1.0"):
        replace(TrainConfig(), dropout=1.0)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 1.0


def test_every_field_has_another_value_in_this_file():
    assert list(CHANGED) == [field.name for field in dataclasses.fields(TrainConfig)]


@pytest.mark.parametrize("field", CHANGED)
def test_fingerprint_differs_when_one_field_differs(field):
    changed = replace(TrainConfig(), **{field: CHANGED[field]})
    assert changed.fingerprint() != TrainConfig().fingerprint()
    assert replace(changed, **{field: getattr(TrainConfig(), field)}) == TrainConfig()


def test_equal_settings_have_equal_fingerprints_however_they_came_about():
    by_name = TrainConfig(seed=3, lr=0.2, channels=(8, 16, 32, 64))
    by_steps = replace(replace(TrainConfig(channels=(8, 16, 32, 64)), lr=0.2), seed=3)
    assert by_name == by_steps
    assert by_name.fingerprint() == by_steps.fingerprint()


@pytest.mark.parametrize(
    ("whole", "fraction"),
    [
        pytest.param({"lr": 1}, {"lr": 1.0}, id="number"),
        pytest.param({"std": (1, 1, 1)}, {"std": (1.0, 1.0, 1.0)}, id="tuple"),
    ],
)
def test_equal_settings_have_equal_fingerprints_for_whole_numbers(whole, fraction):
    assert TrainConfig(**whole) == TrainConfig(**fraction)
    assert TrainConfig(**whole).fingerprint() == TrainConfig(**fraction).fingerprint()


def test_fingerprint_is_the_same_in_another_process():
    code = (
        "from seresnet.config import TrainConfig; "
        "print(TrainConfig(dropout=0.1, precision='fp32').fingerprint(), hash('a'))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert printed[0][1] != printed[1][1]  # the two do hash differently
    here = TrainConfig(dropout=0.1, precision="fp32").fingerprint()
    assert [line[0] for line in printed] == [here, here]
