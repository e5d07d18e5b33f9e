"""Optuna's own insides, where a trial at its end is opened again: what is expected of them."""

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.study.reopening import reopen
from search.study.storage import sqlite_storage


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path):
    if request.param == "memory":
        return InMemoryStorage()
    return sqlite_storage(tmp_path / "study.db")


@pytest.fixture
def study(storage):
    """Three trials: COMPLETE with 0.3, PRUNED with 0.5, PRUNED without a value."""
    study = optuna.create_study(study_name="s", storage=storage, direction="maximize")
    for state, values in (("COMPLETE", [0.3]), ("PRUNED", [0.5]), ("PRUNED", None)):
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.set_user_attr("kept", trial.number)
        if values:
            trial.report(values[0], step=1)
        storage.set_trial_state_values(trial._trial_id, TrialState[state], values)
    return study


def loaded(storage):
    return optuna.load_study(study_name="s", storage=storage)


def test_an_opened_trial_runs_and_has_neither_value_nor_end(study, storage):
    before = study.get_trials()
    reopen(storage, [trial._trial_id for trial in before[1:]])
    first, *others = loaded(storage).get_trials()
    assert first == before[0]
    for trial, old in zip(others, before[1:], strict=True):
        assert (trial.state, trial.value, trial.datetime_complete) == (
            TrialState.RUNNING, None, None,
        )  # fmt: skip
        for name in ("number", "params", "user_attrs", "intermediate_values", "datetime_start"):
            assert getattr(trial, name) == getattr(old, name), name
        trial._validate()


def test_an_opened_trial_can_be_written_to_and_ended_again(study, storage):
    trial_id = study.get_trials()[1]._trial_id
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id, "new", 1)
    reopen(storage, [trial_id])
    study = loaded(storage)
    assert [t.number for t in study.get_trials(states=[TrialState.RUNNING])] == [1]
    trial = optuna.Trial(study, trial_id)
    trial.report(0.7, step=2)
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.7])
    (ended,) = [t for t in loaded(storage).get_trials() if t.number == 1]
    assert (ended.state, ended.value) == (TrialState.COMPLETE, 0.7)
    assert ended.intermediate_values == {1: 0.5, 2: 0.7}
    assert ended.datetime_complete > ended.datetime_start
    assert loaded(storage).best_trial.number == 1


def test_trials_that_others_have_looked_up_stay_as_they_were(study, storage):
    before = study.get_trials(deepcopy=False)[1]
    reopen(storage, [before._trial_id])
    assert (before.state, before.value) == (TrialState.PRUNED, 0.5)


def test_a_value_is_stored_once_after_a_second_end(study, storage):
    trial_id = study.get_trials()[1]._trial_id
    for value in (0.6, 0.8):
        reopen(storage, [trial_id])
        storage.set_trial_state_values(trial_id, TrialState.PRUNED, [value])
        assert loaded(storage).get_trials()[1].values == [value]
