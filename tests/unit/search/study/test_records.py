import dataclasses
import subprocess
import sys

import optuna
import pytest

from search.study.errors import DamagedStudyError
from search.study.events import epoch_attribute, pause_attribute, seal
from search.study.records import (
    Host,
    TrialRecord,
    baseline_value,
    incumbent,
    read_record,
    trial_id,
)
from seresnet.epoch import EpochResult


def epochs(*values):
    numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 1.0}
    return {
        k: EpochResult(
            epoch=k, val_accuracy=v, val_accuracy_raw=v, images_per_second=1.0, **numbers
        )
        for k, v in enumerate(values, 1)
    }


def trial(number, state, *values):
    return TrialRecord(number=number, params={}, state=state, epochs=epochs(*values))


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "t0000"), (42, "t0042"), (12345, "t12345")], ids=str
)
def test_a_trials_name_cannot_be_read_as_a_number(number, expected):
    assert trial_id(number) == TrialRecord(number=number, params={}).id == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        pytest.param([], None, id="no-trials"),
        pytest.param([trial(0, "PRUNED", 0.9), trial(1, "FAIL", 0.9)], None, id="none-complete"),
        pytest.param(
            [trial(0, "COMPLETE", 0.5), trial(1, "COMPLETE", 0.7), trial(2, "COMPLETE", 0.6)],
            1,
            id="best",
        ),
        pytest.param(
            [trial(0, "PRUNED", 0.9), trial(1, "COMPLETE", 0.1), trial(2, "RUNNING", 0.8)],
            1,
            id="never-an-unfinished-one",
        ),
        pytest.param(
            [trial(0, "FAIL", 0.9), trial(1, "COMPLETE", 0.1), trial(2, "COMPLETE", 0.1)],
            1,
            id="of-equals-the-earliest",
        ),
        pytest.param(
            [trial(0, "COMPLETE", 0.9, 0.2), trial(1, "COMPLETE", 0.3)], 1, id="at-its-end"
        ),
        pytest.param([trial(0, "COMPLETE", 0.0)], 0, id="zero-is-a-value"),
    ],
)
def test_the_incumbent_is_the_best_at_full_budget(trials, expected):
    best = incumbent(trials)
    assert (best and best.number) == expected
    best = incumbent(trials[::-1])
    assert (best and best.number) == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        pytest.param([], None, id="no-trials"),
        pytest.param([trial(0, "RUNNING", 0.5)], None, id="running"),
        pytest.param([trial(0, "FAIL", 0.5), trial(1, "COMPLETE", 0.6)], None, id="failed"),
        pytest.param([trial(0, "COMPLETE", 0.4, 0.5), trial(1, "COMPLETE", 0.6)], 0.5, id="done"),
        pytest.param([trial(0, "COMPLETE", 0.0)], 0.0, id="zero"),
    ],
)
def test_the_baselines_value_is_known_once_it_is_complete(trials, expected):
    assert baseline_value(trials) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [("RUNNING", False), ("COMPLETE", True), ("PRUNED", True), ("FAIL", True)],
)
def test_only_a_running_trial_is_unfinished(state, expected):
    assert trial(0, state).is_finished is expected


def test_a_trial_that_waits_for_a_larger_budget_neither_runs_nor_is_at_its_end():
    waiting = trial(0, "PRUNED", 0.9)
    waiting.stop_reason = "budget"
    assert (waiting.is_paused, waiting.is_running, waiting.is_finished) == (True, False, False)
    assert not trial(0, "PRUNED", 0.9).is_paused
    assert incumbent([waiting]) is None


def test_the_last_epoch_is_the_largest_in_whatever_order_they_came():
    record = trial(0, "RUNNING", 0.1, 0.2, 0.3)
    record.epochs = dict(reversed(record.epochs.items()))
    assert (record.last.epoch, record.value) == (3, 0.3)
    assert trial(0, "RUNNING").last is None
    assert trial(0, "RUNNING").value is None


def frozen(attributes, values):
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.PRUNED,
        params={"dropout": 0.5},
        distributions={"dropout": optuna.distributions.FloatDistribution(0, 1)},
        user_attrs=attributes,
        intermediate_values=values,
    )


def test_an_epoch_without_its_value_does_not_count():
    stored = {
        epoch_attribute(k): seal(dataclasses.asdict(e), seq=k, number=0)
        for k, e in epochs(0.1, 0.2, 0.3).items()
    }
    record = read_record(frozen(stored, {2: 0.2, 1: 0.1}))
    assert record.epochs == epochs(0.1, 0.2)
    assert list(record.epochs) == [1, 2]


def test_a_trial_that_was_killed_at_birth_reads_as_a_record():
    record = read_record(frozen({}, {}))
    assert record == TrialRecord(number=-1, params={"dropout": 0.5}, state="PRUNED")
    assert record.host is None


def test_a_trial_that_was_paused_reads_so_until_it_runs_again():
    stored = {pause_attribute(3): seal({"limit": "max_hours"}, seq=3, number=0)}
    paused = frozen(stored, {})
    assert read_record(paused).stop_reason == "budget"
    paused.state = optuna.trial.TrialState.RUNNING
    assert (read_record(paused).state, read_record(paused).stop_reason) == ("RUNNING", "")


def test_the_host_reads_back():
    host = Host(node="n", device="cuda NVIDIA H200", dtype="bfloat16", threads=4)
    assert read_record(frozen({"host": dataclasses.asdict(host)}, {})).host == host


def test_a_trial_that_lacks_what_belongs_to_it_is_called_damaged():
    with pytest.raises(DamagedStudyError, match=r"study\.db: t-001 cannot be read") as caught:
        read_record(frozen({}, {1: 0.5}))
    assert "--recover" in caught.value.hint


def test_results_are_read_without_optuna_or_torch():
    code = "import sys, search.results; print({'optuna', 'torch', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
