import pytest

from search.study.records import TRIAL_COLUMNS
from search.study.space import SEARCHABLE, load_study
from seresnet.errors import ConfigError

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


@pytest.fixture
def complaint(load_text, tmp_path):
    def complain(*replacements, **overrides):
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        with pytest.raises(ConfigError) as caught:
            load_text(text, **overrides)
        error = caught.value
        return ConfigError(error.message.replace(f"{tmp_path}/", ""), error.hint)

    return complain


DROPOUT = "dropout: {low: 0.0, high: 0.5}"
DECAY = "weight_decay: {low: 1e-5, high: 5E-3, log: true}"
# what is replaced in STUDY, by what, and how the one line of complaint goes on after `s.yaml:`
BAD_STUDIES = {
    "unknown-key": (
        "num_trials",
        "num_trails",
        "1: study.num_trails: unknown key, did you mean num_tri",
    ),
    "unknown-section": ("pruner:", "report: {}\npruner:", "10: report: unknown key"),
    "repeated-key": (
        "retrain:",
        "pruner: {}\nretrain:",
        "11: pruner: must be given once, got it on lines 10 and 11",
    ),
    "reversed-bounds": (
        DROPOUT,
        "dropout: {low: 0.5, high: 0.1}",
        "4: space.dropout.low: must be <= high (0.1), got 0.5",
    ),
    "log-from-zero": (
        "low: 1e-5",
        "low: 0",
        "5: space.weight_decay.low: must be > 0 when `log` is true, got 0.0",
    ),
    "infinite-bound": (
        "high: 0.5",
        "high: .inf",
        "4: space.dropout.high: must be a finite decimal",
    ),
    "nan-bound": ("low: 0.0", "low: .nan", "4: space.dropout.low: must be a finite decimal"),
    "yes-for-a-bound": (
        "high: 0.5",
        "high: yes",
        "4: space.dropout.high: must be a number, got yes",
    ),
    "text-for-a-bound": (
        "high: 0.5",
        "high: '0.5'",
        "4: space.dropout.high: must be a number, got '0.5'",
    ),
    "list-for-a-bound": (
        "high: 0.5",
        "high: [1]",
        "4: space.dropout.high: must be a number, got a list of 1",
    ),
    "step": ("high: 0.5", "high: 0.5, step: 9", "4: space.dropout.step: unknown key"),
    "no-choices": ("high: 0.5", "high: 0.5, choices: []", "4: space.dropout.choices: unknown key"),
    "half-a-domain": ("low: 0.0, ", "", "4: space.dropout.low: must be given"),
    "octal-bound": (
        "{low: 0, high: 3}",
        "{low: 0, high: 03}",
        "6: space.warmup_epochs.high: must be a finite decimal number, got 03",
    ),
    "negative-warm-up": (
        "{low: 0, high: 3}",
        "{low: -1, high: 3}",
        "6: space.warmup_epochs.low: must be >= 0, got -1",
    ),
    "dropout-of-one": ("high: 0.5", "high: 1", "4: space.dropout.high: must be in [0, 1), got 1.0"),
    "negative-decay": (
        DECAY,
        "weight_decay: {low: -1, high: 1}",
        "5: space.weight_decay.low: must be >= 0, got -1.0",
    ),
    "half-an-epoch": (
        "{low: 0, high: 3}",
        "{low: 0, high: 2.5}",
        "6: space.warmup_epochs.high: must be a whole number, got 2.5",
    ),
    "baseline-outside": (
        "{dropout: 0.2",
        "{dropout: 0.6",
        "7: baseline.dropout: must be in [0.0, 0.5], got 0.6",
    ),
    "baseline-lacks": (
        "{dropout: 0.2, ",
        "{",
        "7: baseline.dropout: must be given, because space.dropout is searched",
    ),
    "baseline-extra": (
        "{dropout: 0.2",
        "{lr: 1, dropout: 0.2",
        "7: baseline.lr: must be a key of space",
    ),
    "baseline-half": (
        "warmup_epochs: 2",
        "warmup_epochs: 2.5",
        "7: baseline.warmup_epochs: must be a whole number, got 2.5",
    ),
    "recipe-outside": (
        "{dropout: 0.1",
        "{dropout: 0.6",
        "9: recipes.v1.2.dropout: must be in [0.0, 0.5], got 0.6",
    ),
    "recipe-path": ("v1.2:", "../x:", "9: recipes.../x: name must be 1 to 64 letters"),
    "recipe-number": ("v1.2:", "12:", "9: recipes: must have text for keys, got 12"),
    "recipe-baseline": ("v1.2:", "baseline:", "9: recipes.baseline: name must not be taken"),
    "too-few-trials": (
        "num_trials: 4",
        "num_trials: 1",
        "1: study.num_trials: must be >= 2, the baseline and every recipe, got 1",
    ),
    "too-few-epochs": (
        "num_trials: 4",
        "num_trials: 4, max_total_epochs: 15",
        "1: study.max_total_epochs: must be none or >= 16 (2 x 8), baseline and recipes whole",
    ),
    "epochs-not-counted": (
        "num_trials: 4",
        "num_trials: 4, max_total_epochs: all",
        "1: study.max_total_epochs: must be an integer or none, got all",
    ),
    "rung-in-the-warm-up": (
        "min_epochs: 4",
        "min_epochs: 3",
        "1: study.min_epochs: must be > 3, the longest warm-up (space.warmup_epochs.high), got 3",
    ),
    "misspelt-hyperparameter": (
        "{low: 0, high: 3}",
        "{low: 0, high: 3}\n  warmup_epoch: {low: 0, high: 1}",
        "7: space.warmup_epoch: must be a numeric setting of TrainConfig, did you mean warmup_",
    ),
    "confirm-in-the-warm-up": (
        "retrain:",
        "confirm: {epochs: 3}\nretrain:",
        "11: confirm.epochs: must be > 3, the longest warm-up (space.warmup_epochs.high), got 3",
    ),
    "retrain-in-the-warm-up": (
        "epochs: 9",
        "epochs: 3",
        "11: retrain.epochs: must be > 3, the longest warm-up (space.warmup_epochs.high), got 3",
    ),
    "train-epochs": (
        "{warmup_epochs: 1}",
        "{epochs: 250}",
        "2: train.epochs: must be left to study.max_epochs and retrain.epochs, got 250",
    ),
    "train-seed": (
        "{warmup_epochs: 1}",
        "{seed: 0}",
        "2: train.seed: must be left to study.seed and",
    ),
    "train-range": ("{warmup_epochs: 1}", "{lr: 0}", "2: train.lr: must be > 0, got 0.0"),
    "train-type": ("{warmup_epochs: 1}", "{lr: yes}", "2: train.lr: must be a number, got yes"),
    "sampler": (
        "retrain:",
        "sampler: {name: tpu}\nretrain:",
        "11: sampler.name: must be auto, tpe, gp, random or qmc, got tpu",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), BAD_STUDIES.values(), ids=BAD_STUDIES)
def test_a_bad_study_is_refused_with_file_line_key_and_remedy(complaint, old, new, message):
    error = complaint((old, new))
    assert error.message.startswith(f"s.yaml:{message}")
    assert "\n" not in error.message
    assert error.hint


LIMITS = {
    "dropout": ("0", "1", "in [0, 1), got 1.0"),
    "label_smoothing": ("-0.1", "0.5", "in [0, 1), got -0.1"),
    "mixup_alpha": ("-0.5", "1", ">= 0, got -0.5"),
    "weight_decay": ("-1e-4", "1e-3", ">= 0, got -0.0001"),
    "lr": ("0", "1", "> 0, got 0.0"),
    "batch_size": ("1", "64", ">= 2, got 1"),
}


@pytest.mark.parametrize(("name", "limits"), LIMITS.items(), ids=LIMITS)
def test_bounds_beyond_what_a_hyperparameter_can_be_are_refused(load_text, name, limits):
    low, high, rule = limits
    text = "study: {min_epochs: 20, max_epochs: 60}\nbaseline: {NAME: HIGH}\n"
    text += "space:\n  NAME: {low: LOW, high: HIGH}\n"
    with pytest.raises(ConfigError) as caught:
        load_text(text.replace("NAME", name).replace("LOW", low).replace("HIGH", high))
    lines = caught.value.message.split("\n")
    assert len(lines) == 1
    assert f"s.yaml:4: space.{name}." in lines[0]
    assert lines[0].endswith(f": must be {rule}")


def test_a_warm_up_as_long_as_the_schedule_is_refused_for_each_reason_at_once(complaint):
    error = complaint(("{low: 0, high: 3}", "{low: 0, high: 8}"))
    assert [line.split(": ")[1] for line in error.message.split("\n")] == [
        "study.min_epochs", "space.warmup_epochs.high",
    ]  # fmt: skip


def test_equal_bounds_fix_a_setting(load_text):
    config = load_text(
        STUDY.replace("{low: 0.0, high: 0.5}", "{low: 0.2, high: 0.2}").replace(
            "dropout: 0.1", "dropout: 0.2"
        )
    )
    assert config.space["dropout"].low == config.space["dropout"].high == 0.2


def test_a_tag_that_would_run_code_is_refused(complaint):
    error = complaint(("epochs: 9", "epochs: !!python/object/apply:os.system [ls]"))
    start = "s.yaml:11: must not use a tag, got !!python/object/apply:os.system"
    assert error.message.startswith(start)


@pytest.mark.parametrize("name", ["channels", "precision", "mean", "sead", "nosuch"])
def test_only_numeric_settings_can_be_searched(complaint, name):
    error = complaint(("space:\n", f"space:\n  {name}: {{low: 0, high: 1}}\n"))
    assert f"s.yaml:4: space.{name}: must be a numeric setting of TrainConfig" in error.message


@pytest.mark.parametrize("name", TRIAL_COLUMNS)
def test_no_column_of_the_tables_can_be_searched(complaint, name):
    assert name not in SEARCHABLE
    error = complaint(("space:\n", f"space:\n  {name}: {{low: 0, high: 1}}\n"))
    assert f"s.yaml:4: space.{name}: must not be searched" in error.message


def test_several_problems_are_reported_at_once_in_the_order_of_lines(complaint):
    error = complaint(
        ("num_trials: 4", "num_trials: 1"),
        ("dropout: {low: 0.0, high: 0.5}", "droput: {low: 0.0, high: 0.5}"),
        ("5E-3", "-1"),
        ("pruner: {name: asha}", "pruner: {nam: asha}"),
        ("epochs: 9", "epochs: yes"),
    )
    lines = error.message.split("\n")
    assert [line.partition(": ")[0] for line in lines] == [f"s.yaml:{n}" for n in (5, 10, 11)]

    error = complaint(
        ("num_trials: 4", "num_trials: 1"),
        ("dropout: {low: 0.0, high: 0.5}", "droput: {low: 0.0, high: 0.5}"),
        ("pruner: {name: asha}", "pruner: {nam: asha}"),
        ("epochs: 9", "epochs: 2"),
    )
    keys = [line.split(": ")[1] for line in error.message.split("\n")]
    assert keys == [
        "study.num_trials", "space.droput", "pruner.nam", "retrain.epochs",
    ]  # fmt: skip


def test_the_hint_is_the_remedy_of_the_only_problem(complaint):
    assert "drop `log: true`" in complaint(("low: 1e-5", "low: 0")).hint
    assert "raise study.min_epochs to 4" in complaint(("min_epochs: 4", "min_epochs: 3")).hint


def test_the_longest_warm_up_is_that_of_train_where_it_is_not_searched(complaint, load_text):
    text = "study: {min_epochs: 4, max_epochs: 8}\ntrain: {warmup_epochs: 5}\n"
    text += "space: {dropout: {low: 0, high: 0.5}}\nbaseline: {dropout: 0.2}\n"
    with pytest.raises(
        ConfigError, match=r":1: study\.min_epochs: must be > 5, the longest warm-up"
    ):
        load_text(text)
    assert load_text(text + "pruner: {name: none}\n").train.warmup_epochs == 5
    long = text.replace("warmup_epochs: 5", "warmup_epochs: 8") + "pruner: {name: none}\n"
    with pytest.raises(ConfigError, match=r":2: train\.warmup_epochs: must be < study\.max_epochs"):
        load_text(long)


def test_an_empty_space_is_refused(load_text):
    with pytest.raises(ConfigError, match=r"s\.yaml:2: space: must name at least one"):
        load_text("study: {}\nspace: {}\nbaseline: {}")


def test_a_bad_flag_is_named_without_a_line(complaint):
    error = complaint(overrides={"study.num_trials": 1})
    assert error.message.startswith("--num-trials: study.num_trials: must be >= 2, the baseline")
