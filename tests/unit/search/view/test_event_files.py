"""TensorBoard's own readers find in the files what the study holds."""

import dataclasses
import json
import re
import subprocess
import sys
import time
import urllib.request

import pytest
from optuna.storages import InMemoryStorage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata

from fakes import CONFIG, SECONDS, Clock, opened_within, play_out, result, run
from search.study.ledger import Ledger
from search.view.event_files import EventFiles
from search.view.followers import METRICS


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tensorboard"


def follow(ledger, folder):
    files = EventFiles(folder, ledger.config.space, ledger.trials)
    ledger.observe = files.trial_changed
    return ledger


def studied(folder):
    """A study with a trial of every kind: baseline, recipe, stopped, failed, running."""
    ledger = follow(Ledger.open(InMemoryStorage(), CONFIG), folder)
    run(ledger, 0.5, 0.55, 0.58, 0.6)
    run(ledger, 0.4, 0.45, 0.5, 0.52)
    run(ledger, 0.2)
    ledger.fail(run(ledger), kind="diverged", error="loss is nan")
    run(ledger, 0.7, 0.8)
    states = [trial.state for trial in ledger.trials]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    return ledger


def read(folder, trial):
    """A trial's file as TensorBoard reads it."""
    events = EventAccumulator(str(folder / trial))
    events.Reload()
    return events


def hparams(events, tag):
    return events.SummaryMetadata(tag).plugin_data.content


def contents(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob("*/*")}


def test_every_epoch_of_every_trial_is_there_once_with_its_numbers(folder):
    for trial in studied(folder).trials:
        events = read(folder, trial.id)
        assert events.Tags()["scalars"] == (list(METRICS) if trial.epochs else [])
        for name in events.Tags()["scalars"]:
            told = [(point.step, point.value) for point in events.Scalars(name)]
            stored = [(n, getattr(each, name)) for n, each in trial.epochs.items()]
            assert told == [(n, pytest.approx(value, rel=1e-6)) for n, value in stored]


def test_a_point_stands_at_the_trials_begin_and_the_time_its_epochs_took(folder):
    trial = studied(folder).trials[0]
    times = [point.wall_time for point in read(folder, "t0000").Scalars("lr")]
    begin = trial.began.timestamp()
    assert times == [pytest.approx(begin + n / 7, abs=1e-5) for n in (1, 2, 3, 4)]


def test_the_hparams_tab_compares_the_trials_and_tells_stopped_ones_apart(folder):
    ledger, told = studied(folder), {}
    for trial in ledger.trials:
        events = read(folder, trial.id)
        start = metadata.parse_session_start_info_plugin_data(
            hparams(events, metadata.SESSION_START_INFO_TAG)
        )
        settings = {name: value.number_value for name, value in start.hparams.items()}
        assert settings == trial.params
        status = None
        if metadata.SESSION_END_INFO_TAG in events.Tags()["tensors"]:
            end = hparams(events, metadata.SESSION_END_INFO_TAG)
            status = metadata.parse_session_end_info_plugin_data(end).status
        told[start.group_name] = status
    assert told == {
        "t0000 baseline": api_pb2.STATUS_SUCCESS,
        "t0001 bare": api_pb2.STATUS_SUCCESS,
        "t0002": api_pb2.STATUS_UNKNOWN,
        "t0003": api_pb2.STATUS_FAILURE,
        "t0004": None,
    }
    experiment = metadata.parse_experiment_plugin_data(hparams(events, metadata.EXPERIMENT_TAG))
    domains = {each.name: each.domain_interval for each in experiment.hparam_infos}
    found = {name: (domain.min_value, domain.max_value) for name, domain in domains.items()}
    assert found == {"dropout": (0, 0.5), "crop_padding": (0, 8)}


def test_what_a_trial_does_not_tell_is_left_out(folder):
    ledger = follow(Ledger.open(InMemoryStorage(), CONFIG), folder)
    suggestion = ledger.suggest()
    told = dataclasses.replace(
        result(1, 0.5), val_accuracy_raw=None, train_loss=None, lr=None, images_per_second=None
    )
    ledger.report(suggestion.number, told, None, attempt=1)
    assert read(folder, "t0000").Tags()["scalars"] == ["val_accuracy", "val_loss"]


def test_files_made_afterwards_equal_those_that_followed(folder, tmp_path):
    ledger = studied(folder)
    EventFiles(tmp_path / "later", ledger.config.space, ledger.trials)
    assert contents(tmp_path / "later") == contents(folder)


def test_a_start_that_finds_all_of_it_writes_nothing(folder):
    ledger = studied(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    follow(ledger, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_wherever_a_kill_cuts_a_file_the_next_start_mends_it(folder):
    ledger = studied(folder)
    whole = contents(folder)
    path = next((folder / "t0000").iterdir())
    inode = path.stat().st_ino
    for length in range(0, len(whole["t0000"]), 7):
        path.write_bytes(whole["t0000"][:length])
        follow(ledger, folder)
        assert contents(folder) == whole
    assert path.stat().st_ino == inode  # a TensorBoard that reads it sees the rest come


def test_a_file_of_something_else_is_written_anew(folder):
    ledger = studied(folder)
    whole = contents(folder)
    for path in folder.glob("*/*"):
        path.write_bytes(b"\0" * 100 + path.read_bytes())
    follow(ledger, folder)
    assert contents(folder) == whole


def test_trials_that_the_study_lacks_are_cleared_and_nothing_else(folder):
    ledger = studied(folder)
    (folder / "t0009").mkdir()
    (folder / "t0009" / "notes.txt").write_text("mine")
    EventFiles(folder, ledger.config.space, ledger.trials[:2])
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["t0000", "t0001", "t0009"]


def test_a_running_trial_goes_on_after_a_kill(folder, tmp_path):
    storage = InMemoryStorage()
    run(follow(Ledger.open(storage, CONFIG), folder), 0.1, 0.2)
    run(follow(Ledger.open(storage, CONFIG), folder), 0.1, 0.2, 0.3, 0.4)
    points = read(folder, "t0000").Scalars("val_accuracy")
    assert [point.step for point in points] == [1, 2, 3, 4]


def test_a_paused_trial_has_no_end_and_goes_on_with_a_larger_budget(folder, tmp_path):
    storage = InMemoryStorage()
    ledger = play_out(follow(opened_within(storage, Clock(), max_hours=6 * SECONDS), folder))
    (paused,) = [trial for trial in ledger.trials if trial.is_paused]
    assert metadata.SESSION_END_INFO_TAG not in read(folder, paused.id).Tags()["tensors"]
    ledger = play_out(follow(opened_within(storage, Clock()), folder))
    later = tmp_path / "later"
    EventFiles(later, ledger.config.space, ledger.trials)
    assert contents(folder) == contents(later)


def test_tensorboards_server_shows_what_comes_in_while_it_runs(folder):
    ledger = studied(folder)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0"]
    command += ["--host", "127.0.0.1", "--load_fast", "false", "--reload_interval", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"http://127.0.0.1:\d+/", line) for line in lines)
            address = next(match[0] for match in found if match)
            runs = shown(address, "tags", lambda tags: len(tags) == 4)
            assert runs.keys() == {"t0000", "t0001", "t0002", "t0004"}  # t0003 told nothing
            wanted = "scalars?run=t0004&tag=val_accuracy"
            assert len(shown(address, wanted, len)) == 2
            ledger.report(4, result(3, 0.9), None, attempt=1)
            rows = shown(address, wanted, lambda rows: len(rows) == 3)
            values = [(step, pytest.approx(value)) for _, step, value in rows]
            assert values == [(1, 0.7), (2, 0.8), (3, 0.9)]
        finally:
            server.terminate()


def shown(address, path, is_there):
    """What the server says once it has read so far; it reads anew every second."""
    ends_at = time.monotonic() + 120
    while time.monotonic() < ends_at:
        with urllib.request.urlopen(f"{address}data/plugin/scalars/{path}", timeout=60) as answer:
            content = json.load(answer)
        if is_there(content):
            return content
        time.sleep(0.05)
    raise AssertionError(content)
