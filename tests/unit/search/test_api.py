"""The search as a library, as far as it goes without Ray."""

import pytest

import fakes
from search import api
from search.api import Budget, Domain, search
from search.results import read_trials
from search.study.errors import MachineError, UnfinishedError
from search.study.folder import StudyFolder
from seresnet.errors import ConfigError

SPACE = {"alpha": Domain(low=0.0, high=1.0)}


def train(params, seed, epochs):
    for epoch in range(epochs):
        yield {"val_accuracy": params["alpha"] * epoch}


@pytest.fixture
def call(tmp_path):
    def call(trainable=train, **changes):
        budget = Budget(num_trials=3, min_epochs=1, max_epochs=4)
        given = {"space": SPACE, "baseline": {"alpha": 0.5}, "budget": budget}
        return search(trainable, folder=tmp_path / "study", **{**given, **changes})

    return call


@pytest.fixture
def carried_out(monkeypatch):
    """Trials run in this process instead of Ray's; each epoch is one of `train`."""
    calls = []

    def carry_out(trainable, ledger, folder, stop, address):
        calls.append(ledger.num_remaining)
        while suggestion := ledger.suggest():
            for epoch, numbers in enumerate(trainable(suggestion.params, suggestion.seed, 4), 1):
                result = fakes.result(epoch, numbers["val_accuracy"])
                attempt = suggestion.attempt
                if not ledger.report(suggestion.number, result, fakes.HOST, attempt=attempt):
                    break

    monkeypatch.setattr(api, "_carry_out", carry_out)
    return calls


def test_the_best_trial_the_baseline_and_the_study_come_back(call, carried_out, tmp_path):
    found = call(recipes={"best": {"alpha": 1.0}})
    assert found.best.params == {"alpha": 1.0}
    assert (found.best.value, found.baseline) == (3.0, 1.5)
    assert found.folder == tmp_path / "study"
    assert [trial.name for trial in found.trials] == ["baseline", "best", ""]


def test_the_study_is_a_folder_as_any_other(call, carried_out, tmp_path):
    call()
    folder = StudyFolder(tmp_path / "study")
    assert read_trials(folder.path).loc[0, "alpha"] == 0.5
    assert folder.provenance.is_file()
    assert "trainable: train" in folder.study_file.read_text()


def test_the_same_call_again_does_nothing_and_a_larger_budget_goes_on(call, carried_out):
    first = call()
    assert call().best.value == first.best.value
    assert carried_out == [3]
    call(budget=Budget(num_trials=5, min_epochs=1, max_epochs=4))
    assert carried_out == [3, 2]


def other(params, seed, epochs):
    yield from train(params, seed, epochs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trainable": other}, "the study was made with other settings: trainable: train -> other"),
        (
            {"space": {"alpha": Domain(low=0.0, high=0.9)}},
            r"the study was made with other settings: space\.alpha\.high: 1\.0 -> 0\.9",
        ),
    ],
    ids=["function", "space"],
)
def test_another_search_in_the_folder_is_refused(call, carried_out, changes, message):
    call()
    with pytest.raises(ConfigError, match=message):
        call(**changes)


def seresnet(params, seed, epochs):
    yield {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": {}}, r"^baseline\.alpha: must be given"),
        ({"baseline": {"alpha": 2.0}}, r"^baseline\.alpha: must be in \[0.0, 1.0\], got 2.0"),
        ({"trainable": seresnet}, "^trainable: must not be called seresnet"),
    ],
    ids=["no-baseline", "outside", "name"],
)
def test_wrong_settings_are_refused_before_anything_is_written(call, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        call(**changes)
    assert not (tmp_path / "study").exists()


def test_without_a_complete_trial_there_is_nothing_to_return(call, monkeypatch):
    def fail(trainable, ledger, *_):
        while suggestion := ledger.suggest():
            ledger.fail(suggestion.number, kind="exception", error="no")

    monkeypatch.setattr(api, "_carry_out", fail)
    with pytest.raises(UnfinishedError, match="no trial of 3 is complete"):
        call()


def test_a_ray_of_the_callers_is_left_alone(call, monkeypatch, tmp_path):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    with pytest.raises(MachineError, match="Ray runs in this process already"):
        call()
    assert not (tmp_path / "study").exists()
