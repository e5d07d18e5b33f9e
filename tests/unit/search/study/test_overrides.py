"""The settings of the retraining alone: checked, laid over the winner's, kept in its file."""

from dataclasses import replace

import pytest

import fakes
from search.study.config import loads
from search.study.overrides import overridden
from search.study.space import StudyConfig, changed_keys, dump_study
from seresnet.config import TrainConfig
from seresnet.errors import ConfigError


def study(overrides, more=""):
    return loads(
        f"{fakes.STUDY}{more}retrain: {{epochs: 9, train: {{{overrides}}}}}\n", StudyConfig
    )


def test_a_retraining_has_the_winners_settings_with_others_laid_over_them():
    config = study("nesterov: true, lr: 1, cutmix_probability: 0.5, warmup_epochs: 3")
    winner = {"dropout": 0.1, "crop_padding": 4.0}
    expected = replace(
        config.trial_config(winner, epochs=9, seed=5),
        nesterov=True, lr=1.0, cutmix_probability=0.5, warmup_epochs=3,
    )  # fmt: skip
    made = config.retrain_config(winner, seed=5)
    assert made == expected
    assert type(made.lr) is float
    assert config.trial_config(winner, epochs=9, seed=5).nesterov is False


def test_without_overrides_a_retraining_is_the_winners():
    config = fakes.CONFIG
    winner = {"dropout": 0.1, "crop_padding": 4}
    assert config.retrain_config(winner, seed=5) == config.trial_config(winner, epochs=250, seed=5)


def test_overrides_survive_the_study_file_and_may_change_between_starts():
    config = study("nesterov: true, weight_decay: 1e-4, precision: fp32")
    assert config.retrain.train == {"nesterov": True, "weight_decay": 1e-4, "precision": "fp32"}
    assert loads(dump_study(config), StudyConfig) == config
    assert changed_keys(config, study("")) == []


BAD = {
    "unknown": (
        "nesterof: true",
        "nesterof: must be a setting of TrainConfig that is one value, did",
    ),
    "architecture": ("channels: 8", "channels: must be a setting of TrainConfig that is one value"),
    "searched": (
        "dropout: 0.1",
        "dropout: must be the winner's, because space.dropout is searched",
    ),
    "epochs": ("epochs: 3", "epochs: must be left to retrain.epochs and retrain.seeds, got 3"),
    "seed": ("seed: 3", "seed: must be left to retrain.epochs and retrain.seeds, got 3"),
    "range": ("cutout_size: 40", "cutout_size: must be in [0, 32], got 40"),
    "word": ("precision: fp16", "precision: must be auto, bf16 or fp32, got fp16"),
    "not-bool": ("nesterov: 1", "nesterov: must be true or false, got 1"),
    "not-number": ("lr: true", "lr: must be a number, got True"),
    "not-whole": ("batch_size: 64.5", "batch_size: must be an integer, got 64.5"),
    "relation": ("warmup_epochs: 9", "warmup_epochs: must be < epochs (9), got 9"),
    "needs": (
        "alternating_flip: true, flip_probability: 0.4",
        "flip_probability: must be 0.5 where alternating_flip is true, got 0.4",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_override_is_refused_with_its_line_and_key(text, message):
    with pytest.raises(ConfigError) as caught:
        study(text)
    line = fakes.STUDY.count("\n") + 1
    assert caught.value.message.startswith(f"text:{line}: retrain.train.{message}")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_all_bad_overrides_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        study("nesterof: true, cutout_size: 40, dropout: 0.3")
    assert len(caught.value.message.splitlines()) == 3


def test_settings_are_laid_over_others_with_their_types():
    assert overridden(TrainConfig(), {"lr": 1, "cutout_size": 8}) == TrainConfig(
        lr=1.0, cutout_size=8
    )
