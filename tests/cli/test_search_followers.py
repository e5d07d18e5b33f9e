"""`search.tune --tensorboard --mlflow` as it is typed, with a fake in place of Ray."""

import contextlib
import shutil
import threading

import pytest
import ray
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import fakes
from search import tune
from search.engine.grants import Grant
from search.results import read_epochs, read_trials
from search.study.dataset import Dataset
from search.study.folder import StudyFolder
from seresnet.data import Split


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "results" / "tiny")


@pytest.fixture
def command(study_file, folder):
    return ["--space", str(study_file), "--results", str(folder.path.parent), "--no-retrain"]


@pytest.fixture(autouse=True)
def engine(monkeypatch, tiny_split):
    """Two workers in place of Ray; the third trial fails. Returns when to interrupt them."""
    interruption = {"before_trial": None}

    def run_search(trainable, granted, course):
        ledger = course.ledger
        ledger.take_back()
        while (suggestion := ledger.suggest()) is not None:
            if suggestion.number == interruption["before_trial"]:
                raise KeyboardInterrupt
            if suggestion.number == 2:
                ledger.fail(2, kind="exception", error="no luck")
            while ledger.trials[suggestion.number].is_running:
                epoch = len(ledger.trials[suggestion.number].epochs) + 1
                each = fakes.result(epoch, 0.9 - suggestion.params["dropout"] - 0.1 / epoch)
                ledger.report(suggestion.number, each, fakes.HOST, attempt=suggestion.attempt)

    part = Split(tiny_split.images[:10], tiny_split.labels[:10])
    dataset = Dataset(part, part, fakes.IMAGES)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    session = contextlib.nullcontext
    monkeypatch.setattr("search.engine.cluster.session", lambda **_: session())
    monkeypatch.setattr("search.engine.cluster.usable_grant", lambda *_, **__: Grant(1, 0, 1))
    monkeypatch.setattr("search.engine.nodes.probe", lambda *_: None)
    monkeypatch.setattr("search.engine.tuning.run_search", run_search)
    monkeypatch.setattr("search.engine.trial.trainable", lambda *_: None)
    monkeypatch.setattr("search.study.dataset.load_dataset", lambda *_: dataset)
    monkeypatch.setattr("search.study.dataset.load_test_images", lambda *_: None)
    return interruption


def curves(table):
    """Trial to its epochs and accuracies, as the tables tell."""
    return {
        trial: [(epoch, pytest.approx(value)) for epoch, value in rows.to_numpy().tolist()]
        for trial, rows in table.set_index("trial")[["epoch", "val_accuracy"]].groupby("trial")
    }


def in_event_files(folder):
    read = {}
    for path in sorted(folder.tensorboard.iterdir()):
        events = EventAccumulator(str(path))
        events.Reload()
        if "val_accuracy" in events.Tags()["scalars"]:
            read[path.name] = [(p.step, p.value) for p in events.Scalars("val_accuracy")]
    return read


def in_mlflow(uri):
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert len({run.data.tags["trial"] for run in runs}) == len(runs)
    read = {}
    for run in runs:
        if history := client.get_metric_history(run.info.run_id, "val_accuracy"):
            read[run.data.tags["trial"]] = sorted((each.step, each.value) for each in history)
    return read, {run.data.tags["trial"]: run.info.status for run in runs}


STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


def test_both_hold_what_the_tables_hold_after_an_interruption(command, folder, engine, mlflow_uri):
    follow = [*command, "--tensorboard", "--mlflow", mlflow_uri]
    engine["before_trial"] = 3
    assert tune.main(follow) == 130
    assert sorted(in_event_files(folder)) == ["t0000", "t0001"]  # the third told nothing
    for thread in [each for each in threading.enumerate() if each.name == "follower"]:
        thread.join(60)  # the next start is of another process
    engine["before_trial"] = None
    assert tune.main(follow) == 0
    wanted = curves(read_epochs(folder.path))
    assert len(wanted) == 5
    assert in_event_files(folder) == wanted
    runs, statuses = in_mlflow(mlflow_uri)
    assert runs == wanted
    trials = read_trials(folder.path)
    assert statuses == {
        trial: STATUS[state] for trial, state in zip(trials["trial"], trials["state"], strict=True)
    }


def test_a_study_that_is_done_is_told_afterwards(command, folder, capsys):
    assert tune.main(command) == 0
    assert not folder.tensorboard.exists()
    assert tune.main([*command, "--tensorboard"]) == 0
    assert "done already" in capsys.readouterr().err
    assert in_event_files(folder) == curves(read_epochs(folder.path))
    shutil.rmtree(folder.tensorboard / "t0001")
    assert tune.main([*command, "--tensorboard"]) == 0
    assert in_event_files(folder) == curves(read_epochs(folder.path))


def test_a_server_that_is_not_there_costs_a_warning_and_no_trial(
    command, folder, monkeypatch, caplog
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert tune.main([*command, "--mlflow", "http://127.0.0.1:9"]) == 0  # the discard port
    assert len(read_trials(folder.path)) == 6
    (told,) = [r.getMessage() for r in caplog.records if "--mlflow" in r.getMessage()]
    assert told.startswith("--mlflow http://127.0.0.1:9: ")
    assert told.endswith("; the study has it all, and a later start tells the rest")


def test_what_cannot_be_followed_is_refused_before_anything_is_made(command, folder, capsys):
    assert tune.main([*command, "--mlflow", "http://me:secret@127.0.0.1:9"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: --mlflow: must not hold a password")
    assert "secret" not in told
    assert not folder.path.exists()
