"""The search command from end to end, with a fake in place of Ray: a known best, no training."""

import contextlib
import json
import sqlite3

import pytest
import ray
from optuna.storages import InMemoryStorage

from fakes import HOST
from search import retrain, tune
from search.engine.grants import Grant
from search.results import incumbent, read_epochs, read_trials
from search.study.dataset import Dataset
from search.study.folder import StudyFolder
from search.study.lock import locked
from seresnet.data import Split
from seresnet.epoch import EpochResult


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "results" / "tiny")


@pytest.fixture
def command(study_file, folder):
    return ["--space", str(study_file), "--results", str(folder.path.parent), "--no-retrain"]


class FakeEngine:
    """Works as one worker; low dropout is best. It can be interrupted, and can fail its trials."""

    def __init__(self):
        self.starts = 0
        self.interrupted_after = 99
        self.kind = None

    @contextlib.contextmanager
    def session(self, **_):
        self.starts += 1
        yield

    def run_search(self, trainable, granted, course):
        done, ledger = 0, course.ledger
        ledger.take_back()
        while (suggestion := ledger.suggest()) is not None:
            if done == self.interrupted_after:
                raise KeyboardInterrupt
            done += 1
            if self.kind:
                ledger.fail(suggestion.number, kind=self.kind, error="by command")
            epoch = max(ledger.trials[suggestion.number].epochs, default=1)
            attempt = suggestion.attempt
            while ledger.report(
                suggestion.number, self.result(suggestion.params, epoch), HOST, attempt=attempt
            ):
                epoch += 1

    def result(self, params, epoch):
        numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 1.0}
        value = 0.9 - params["dropout"] - 0.1 / epoch
        return EpochResult(
            epoch=epoch, val_accuracy=value, val_accuracy_raw=0, images_per_second=1, **numbers
        )


@pytest.fixture
def databases(monkeypatch):
    """Keeps each study in memory beside its file: SQLite waits for the disk at every write."""
    storages = {}

    def storage(location):
        if not location.path.exists():  # a whole file: it is checked at every start
            with contextlib.closing(sqlite3.connect(location.path)) as database:
                database.execute("CREATE TABLE placeholder (content)")
        return storages.setdefault(location.path, InMemoryStorage())

    monkeypatch.setattr("search.study.folder.open_storage", storage)
    monkeypatch.setattr("search.study.backup.Backups.take", lambda *_: None)


@pytest.fixture
def engine(monkeypatch, databases, tiny_split):
    engine = FakeEngine()
    part = Split(tiny_split.images[:10], tiny_split.labels[:10])
    report = {"source": "synthetic", "train_sha256": "a", "val_sha256": "b"}
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    monkeypatch.setattr("search.engine.cluster.session", engine.session)
    monkeypatch.setattr("search.engine.cluster.usable_grant", lambda *_, **__: Grant(1, 0, 1))
    monkeypatch.setattr("search.engine.nodes.probe", lambda *_: None)
    monkeypatch.setattr("search.engine.tuning.run_search", engine.run_search)
    monkeypatch.setattr("search.engine.trial.trainable", lambda *_: None)
    monkeypatch.setattr("search.study.dataset.load_dataset", lambda *_: Dataset(part, part, report))
    monkeypatch.setattr("search.study.dataset.load_test_images", lambda *_: None)
    return engine


def tables(folder):
    """Return what the tables say but how often a trial was handed out."""
    return read_trials(folder.path).drop(columns="attempts"), read_epochs(folder.path)


def test_a_search_leaves_its_tables_and_prints_the_best_and_the_paths(
    engine, command, folder, capsys
):
    assert tune.main(command) == 0
    trials, epochs = tables(folder)
    assert len(trials) == 6
    assert set(trials["state"]) == {"COMPLETE", "PRUNED"}
    assert incumbent(trials)["trial"] == "t0001"  # the recipe without dropout
    assert trials["epochs"].sum() == len(epochs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["t0001", "plain", "0.8750", "+0.2000"]
    assert lines[-2:] == [str(folder.path / "trials.csv"), str(folder.path / "epochs.csv")]
    (start,) = json.loads(folder.provenance.read_text())["starts"]
    assert start["command"].startswith("python -m search.tune --space ")
    names = {"study.yaml", "study.db", "provenance.json", "trials.csv", "epochs.csv", ".lock"}
    assert {p.name for p in folder.path.iterdir()} == names


def test_the_same_command_again_does_nothing(engine, command, folder, capsys):
    tune.main(command)
    files = [p for p in folder.path.iterdir() if p.name not in ("study.db", ".lock")]
    before = {p: p.read_bytes() for p in files}
    shown = capsys.readouterr().out
    assert tune.main(command) == 0
    assert engine.starts == 1
    again = capsys.readouterr()
    assert again.out == shown
    assert "done already" in again.err
    assert {p: p.read_bytes() for p in files} == before


def test_more_trials_extend_the_study(engine, command, folder):
    tune.main(command)
    before, _ = tables(folder)
    assert tune.main([*command, "--num-trials", "8"]) == 0
    after, _ = tables(folder)
    assert len(after) == 8
    assert after[:6].equals(before)


@pytest.mark.parametrize("num_done", [0, 1, 4])
def test_an_interrupted_search_says_how_to_go_on_and_ends_as_if_it_had_not_been(
    engine, command, folder, capsys, tmp_path, num_done
):
    engine.interrupted_after = num_done
    assert tune.main(command) == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert f"to go on: python -m search.tune --space {command[1]}" in told.err
    assert len(read_trials(folder.path)) == num_done + 1  # the last one is still running
    engine.interrupted_after = 99
    assert tune.main(command) == 0
    whole = StudyFolder(tmp_path / "whole" / "tiny")
    assert tune.main([*command, "--results", str(whole.path.parent)]) == 0
    for part, all_ in zip(tables(folder), tables(whole), strict=True):
        assert part.equals(all_)
    assert len(json.loads(folder.provenance.read_text())["starts"]) == 2


def test_a_study_that_was_changed_is_refused_and_left_alone(
    engine, command, folder, study_file, capsys
):
    tune.main(command)
    before = folder.study_file.read_bytes()
    study_file.write_text(study_file.read_text().replace("high: 0.5", "high: 0.6"))
    capsys.readouterr()
    assert tune.main(command) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "space.dropout.high: 0.5 -> 0.6" in error
    assert "--name" in hint
    assert folder.study_file.read_bytes() == before
    assert tune.main([*command, "--name", "tiny-2"]) == 0


def test_a_study_in_use_is_refused(engine, command, folder, capsys):
    folder.create()
    with locked(folder.path):
        assert tune.main(command) == 3
    assert "the study is in use by process" in capsys.readouterr().err
    assert engine.starts == 0


def test_a_results_folder_that_is_a_file_is_refused(engine, command, folder, capsys):
    folder.path.parent.write_text("mine")
    assert tune.main(command) == 3
    assert "--results" in capsys.readouterr().err
    assert folder.path.parent.read_text() == "mine"


def test_a_search_without_a_complete_trial_cannot_be_retrained(engine, command, folder, capsys):
    engine.kind = "cuda-oom"
    assert tune.main([flag for flag in command if flag != "--no-retrain"]) == 1
    assert "no trial of 6 is complete" in capsys.readouterr().err
    assert set(read_trials(folder.path)["error_kind"]) == {"cuda-oom"}
    assert retrain.main(["--study", str(folder.path)]) == 1
    assert "retrain: cuda-oom" in capsys.readouterr().err


def test_a_search_without_a_complete_trial_is_no_success(engine, command, folder):
    engine.kind = "diverged"
    assert tune.main(command) == 1
    assert set(read_trials(folder.path)["state"]) == {"FAIL"}


def test_a_search_without_a_complete_trial_is_no_success_the_second_time_either(engine, command):
    engine.kind = "diverged"
    tune.main(command)
    assert tune.main(command) == 1


def test_the_same_command_again_makes_a_missing_table(engine, command, folder):
    tune.main(command)
    before = (folder.path / "trials.csv").read_bytes()
    (folder.path / "trials.csv").unlink()
    assert tune.main(command) == 0
    assert (folder.path / "trials.csv").read_bytes() == before


def test_a_retraining_of_an_edited_study_file_is_refused(engine, command, folder, capsys):
    tune.main(command)
    text = folder.study_file.read_text()
    folder.study_file.write_text(text.replace("high: 0.5", "high: 0.6"))
    capsys.readouterr()
    assert retrain.main(["--study", str(folder.path)]) == 2
    assert "space.dropout.high: 0.5 -> 0.6" in capsys.readouterr().err
