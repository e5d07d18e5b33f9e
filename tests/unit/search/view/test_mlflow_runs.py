"""MLflow's own client finds in its store what the study holds."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
from optuna.storages import InMemoryStorage

from fakes import (
    CONFIG,
    SECONDS,
    Clock,
    Killed,
    opened_within,
    play_out,
    report_next,
    result,
    run,
)
from search.study.ledger import Ledger
from search.view import mlflow_runs
from search.view.followers import METRICS
from search.view.mlflow_runs import MlflowRuns, refuse_uri
from seresnet.errors import ConfigError


@pytest.fixture
def uri(mlflow_uri):
    return mlflow_uri


def follow(ledger, uri, trials=None):
    runs = MlflowRuns(uri, "demo", ledger.id, ledger.trials if trials is None else trials)
    for trial in ledger.trials if trials is None else trials:
        runs.trial_changed(trial)
    ledger.observe = runs.trial_changed
    return ledger


def stored(uri):
    """All runs of the experiment, by name."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("demo")
    runs = client.search_runs([experiment.experiment_id])
    assert len({each.info.run_name for each in runs}) == len(runs)
    return {each.info.run_name: each for each in runs}


def told(uri, run, name="val_accuracy"):
    history = MlflowClient(uri).get_metric_history(run.info.run_id, name)
    return [(each.step, each.value) for each in sorted(history, key=lambda each: each.step)]


def held(trial, name="val_accuracy"):
    return [(epoch, getattr(each, name)) for epoch, each in sorted(trial.epochs.items())]


def assert_same(uri, ledger):
    """Each trial has one run that says what the study does, each number once."""
    runs = {run.data.tags["trial"]: run for run in stored(uri).values()}
    assert sorted(runs) == [trial.id for trial in ledger.trials]
    for trial in ledger.trials:
        run = runs[trial.id]
        assert run.data.tags["state"] == trial.state
        assert run.data.params == {name: str(value) for name, value in trial.params.items()}
        assert {name: told(uri, run, name) for name in METRICS} == {
            name: held(trial, name) for name in METRICS
        }


def test_each_trial_is_a_run_with_its_settings_epochs_and_end(uri):
    ledger = follow(Ledger.open(InMemoryStorage(), CONFIG), uri)
    run(ledger, 0.5, 0.55, 0.58, 0.6)
    run(ledger, 0.4, 0.45, 0.5, 0.52)
    run(ledger, 0.2)
    ledger.fail(run(ledger, 0.5), kind="diverged", error="loss is nan")
    run(ledger, 0.7, 0.8)
    assert_same(uri, ledger)
    runs = stored(uri)
    assert {name: each.info.status for name, each in runs.items()} == {
        "t0000 baseline": "FINISHED",
        "t0001 bare": "FINISHED",
        "t0002": "KILLED",
        "t0003": "FAILED",
        "t0004": "RUNNING",
    }
    tags = runs["t0002"].data.tags
    assert (tags["stop_reason"], tags["study"]) == ("rung 1", ledger.id)
    assert tags["seed"] == str(ledger.trials[2].seed)
    assert len(tags["mlflow.source.git.commit"]) == 40
    tags = runs["t0003"].data.tags
    assert (tags["error_kind"], tags["error"]) == ("diverged", "loss is nan")
    info, trial = runs["t0000 baseline"].info, ledger.trials[0]
    assert info.start_time == round(1000 * trial.began.timestamp())
    assert info.end_time - info.start_time == pytest.approx(1000 * 4 / 7, abs=1)


def small_study(ledger):
    """Two trials, in turns: one fails, one runs on."""
    first, second = ledger.suggest(), ledger.suggest()
    report_next(ledger, first)
    report_next(ledger, second)
    ledger.fail(first.number, kind="exception", error="no")
    report_next(ledger, second)


WRITES = ("create_experiment", "create_run", "log_batch", "set_terminated", "update_run")


class MortalClient(MlflowClient):
    """Ends its process before a chosen write."""

    lives = 99

    def __init_subclass__(cls, **_):
        for name in WRITES:
            setattr(cls, name, cls._mortal(name))

    @staticmethod
    def _mortal(name):
        def write(self, *arguments, **options):
            MortalClient.lives -= 1
            if MortalClient.lives < 0:
                raise Killed
            return getattr(MlflowClient, name)(self, *arguments, **options)

        return write


class Client(MortalClient):
    pass


NUM_WRITES = 10  # of the small study, the experiment's own included


@pytest.mark.parametrize("lives", [0, 1, 2, 3, 5, 7, 8, 9, NUM_WRITES])
def test_a_kill_between_any_two_writes_loses_and_doubles_nothing(uri, monkeypatch, lives):
    monkeypatch.setattr(mlflow_runs, "MlflowClient", Client)
    monkeypatch.setattr(MortalClient, "lives", lives)
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    with pytest.raises(Killed) if lives < NUM_WRITES else contextlib.nullcontext():
        small_study(follow(ledger, uri))
    monkeypatch.setattr(MortalClient, "lives", 99)
    follow(ledger, uri)
    assert_same(uri, ledger)


def test_a_start_that_finds_all_of_it_writes_nothing(uri, monkeypatch):
    ledger = play_out(follow(Ledger.open(InMemoryStorage(), CONFIG), uri), 2)
    monkeypatch.setattr(mlflow_runs, "MlflowClient", Client)
    monkeypatch.setattr(MortalClient, "lives", 0)
    follow(ledger, uri)


def test_a_paused_trial_waits_and_goes_on_with_a_larger_budget(uri):
    storage = InMemoryStorage()
    ledger = play_out(follow(opened_within(storage, Clock(), max_hours=6 * SECONDS), uri))
    (paused,) = [trial for trial in ledger.trials if trial.is_paused]
    (waiting,) = [each for each in stored(uri).values() if each.data.tags["trial"] == paused.id]
    assert waiting.info.status == "SCHEDULED"
    assert waiting.data.tags["stop_reason"] == "budget"
    ledger = play_out(follow(opened_within(storage, Clock()), uri))
    assert_same(uri, ledger)
    assert {each.info.status for each in stored(uri).values()} <= {"FINISHED", "KILLED"}


def test_runs_of_trials_that_the_study_lacks_are_deleted_and_others_stay(uri):
    ledger, other = (Ledger.open(InMemoryStorage(), CONFIG) for _ in range(2))
    run(follow(other, uri), 0.9)
    (kept,) = stored(uri).values()
    MlflowClient(uri).update_run(kept.info.run_id, name="of another study")
    run(follow(ledger, uri), 0.1, 0.2)
    run(ledger, 0.3)
    follow(ledger, uri, ledger.trials[:1])  # as after a step back to a backup
    assert stored(uri).keys() == {"of another study", "t0000 baseline"}
    other_values = dict(enumerate([result(1, 0.1), result(2, 0.25)], 1))
    ledger.trials[0].epochs = other_values  # the same trial, run again on a GPU
    follow(ledger, uri)
    assert told(uri, stored(uri)["t0000 baseline"]) == [(1, 0.1), (2, 0.25)]


def test_what_a_person_adds_to_a_run_stays(uri):
    ledger = follow(Ledger.open(InMemoryStorage(), CONFIG), uri)
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    (before,) = stored(uri).values()
    client = MlflowClient(uri)
    client.log_batch(before.info.run_id, metrics=[Metric("test_accuracy", 0.9, 1, 1)])
    client.log_param(before.info.run_id, "idea", "mine")
    client.set_tag(before.info.run_id, "mlflow.note.content", "good")
    follow(ledger, uri)
    (after,) = stored(uri).values()
    assert after.info.run_id == before.info.run_id
    assert after.data.metrics["test_accuracy"] == 0.9


def test_a_folder_of_files_serves_where_mlflow_admits_it(tmp_path, monkeypatch):
    uri = (tmp_path / "mlruns").as_uri()
    with pytest.raises(ConfigError, match="MLflow 3 has closed") as caught:
        refuse_uri(uri)
    assert "sqlite:///mlruns.db" in caught.value.hint
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    refuse_uri(uri)
    ledger = follow(Ledger.open(InMemoryStorage(), CONFIG), uri)
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    follow(ledger, uri)
    assert_same(uri, ledger)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("mlruns.db", "must be sqlite:///FILE.db", id="a-path"),
        pytest.param("sqlite:///", "must be sqlite:///FILE.db", id="no-file"),
        pytest.param("postgresql://host/db", "must be sqlite:///FILE.db", id="another-database"),
        pytest.param("http://me:secret@host:5000", "must not hold a password", id="a-password"),
        pytest.param("mysql+pymysql://a:b@h/db", "must not hold a password", id="theirs"),
    ],
)
def test_an_address_that_cannot_serve_is_refused(uri, message):
    with pytest.raises(ConfigError, match=message) as caught:
        refuse_uri(uri)
    assert "secret" not in caught.value.as_text()


@pytest.mark.parametrize("uri", ["sqlite:///a.db", "sqlite:////a/b.db", "http://h:1", "https://h"])
def test_an_address_that_may_serve_is_not(uri):
    refuse_uri(uri)


def test_mlflow_tells_nobody_of_its_use_and_prints_nothing():
    """In an environment in which it would: neither CI nor a test."""
    code = """
import json, search.view.mlflow_runs
from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT as quiet
from mlflow.telemetry import get_telemetry_client, utils
told = [utils._IS_IN_CI_ENV_OR_TESTING, utils.is_telemetry_disabled()]
print(json.dumps([*told, get_telemetry_client() is None, quiet.get()]))
"""
    environ = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [False, True, True, True]
