import math

import pytest

from search.study.sections import (
    Budget,
    ConfirmConfig,
    DataConfig,
    Domain,
    Resources,
    RetrainConfig,
    SamplerConfig,
)

OUT_OF_RANGE = {
    "reversed": (Domain, {"low": 2, "high": 1}, "low: must be <= high (1), got 2"),
    "nan": (Domain, {"low": math.nan, "high": 1}, "low: must be finite, got nan"),
    "inf": (Domain, {"low": 0, "high": math.inf}, "high: must be finite, got inf"),
    "log-from-zero": (
        Domain,
        {"low": 0.0, "high": 1, "log": True},
        "low: must be > 0 when `log` is true, got 0.0\nhint: use a small positive bound such as"
        " 1.0e-6, or drop `log: true`",
    ),
    "trials": (Budget, {"num_trials": 0}, "num_trials: must be >= 1, got 0"),
    "min": (Budget, {"min_epochs": 0}, "min_epochs: must be >= 1, got 0"),
    "min-max": (Budget, {"min_epochs": 61}, "min_epochs: must be <= max_epochs (60), got 61"),
    "max": (Budget, {"max_epochs": 0}, "max_epochs: must be >= 1, got 0"),
    "factor": (Budget, {"reduction_factor": 1}, "reduction_factor: must be >= 2, got 1"),
    "seed": (Budget, {"seed": 2**32}, "seed: must be in [0, 2**32), got 4294967296"),
    "failed": (Budget, {"max_failed": 0}, "max_failed: must be auto or >= 1, got 0"),
    "val": (DataConfig, {"num_val": 0}, "num_val: must be >= 1, got 0"),
    "all-val": (
        DataConfig,
        {"num_val": 50_000},
        "num_val: must be < 50000, all that cifar10 has, got 50000",
    ),
    "no-train": (DataConfig, {"num_train": 0}, "num_train: must be >= 1, got 0"),
    "more-than-cifar10": (
        DataConfig,
        {"num_train": 45_001},
        "num_train: must be <= 45000, what num_val leaves of 50000, got 45001",
    ),
    "startup": (SamplerConfig, {"num_startup": 0}, "num_startup: must be >= 1, got 0"),
    "cpus": (Resources, {"cpus_per_trial": 0}, "cpus_per_trial: must be > 0 and finite, got 0"),
    "gpus": (
        Resources,
        {"gpus_per_trial": 1.5},
        "gpus_per_trial: must be auto or in [0, 1], got 1.5",
    ),
    "two-gpus": (
        Resources,
        {"gpus_per_trial": 2},
        "gpus_per_trial: must be auto or in [0, 1], got 2",
    ),
    "negative-gpus": (
        Resources,
        {"gpus_per_trial": -0.5},
        "gpus_per_trial: must be auto or in [0, 1], got -0.5",
    ),
    "gpus-nan": (
        Resources,
        {"gpus_per_trial": math.nan},
        "gpus_per_trial: must be auto or in [0, 1], got nan",
    ),
    "gpus-inf": (
        Resources,
        {"gpus_per_trial": math.inf},
        "gpus_per_trial: must be auto or in [0, 1], got inf",
    ),
    "concurrent": (Resources, {"max_concurrent": 0}, "max_concurrent: must be auto or >= 1, got 0"),
    "no-timeout": (
        Resources,
        {"epoch_timeout": 0},
        "epoch_timeout: must be none or > 0 seconds, got 0",
    ),
    "timeout-nan": (
        Resources,
        {"epoch_timeout": math.nan},
        "epoch_timeout: must be none or > 0 seconds, got nan",
    ),
    "top": (ConfirmConfig, {"top": -1}, "top: must be >= 0, got -1"),
    "one-seed": (ConfirmConfig, {"seeds": (1,)}, "seeds: must hold at least two seeds, got [1]"),
    "confirm-epochs": (ConfirmConfig, {"epochs": 0}, "epochs: must be auto or >= 1, got 0"),
    "epochs": (RetrainConfig, {"epochs": 0}, "epochs: must be >= 1, got 0"),
    "no-seed": (RetrainConfig, {"seeds": ()}, "seeds: must hold at least one seed, got []"),
    "same-seed": (
        RetrainConfig,
        {"seeds": (1, 1)},
        "seeds: must differ from each other, got [1, 1]",
    ),
    "bad-seed": (RetrainConfig, {"seeds": (0, -1)}, "seeds: must be in [0, 2**32), got [0, -1]"),
}


@pytest.mark.parametrize(("section", "values", "message"), OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_name_and_rule(section, values, message):
    with pytest.raises(ValueError, match="must") as caught:
        section(**values)
    assert str(caught.value) == message


def test_all_problems_of_a_section_are_reported_at_once():
    with pytest.raises(ValueError, match="num_trials") as caught:
        Budget(num_trials=0, reduction_factor=0, seed=-1)
    assert len(str(caught.value).split("\n")) == 3


def test_equal_bounds_fix_a_setting():
    assert 0.1 in Domain(low=0.1, high=0.1)
    assert 0.2 not in Domain(low=0.1, high=0.1)


@pytest.mark.parametrize("gpus", ["auto", 0, 0.25, 1, 1.0])
def test_gpus_may_be_none_one_or_a_fraction_of_one(gpus):
    assert Resources(gpus_per_trial=gpus).gpus_per_trial == gpus


def test_synthetic_data_has_no_fixed_size():
    assert DataConfig(source="synthetic", num_val=60_000).num_val == 60_000
