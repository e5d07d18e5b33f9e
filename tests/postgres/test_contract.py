"""A study on PostgreSQL is the study that SQLite holds, and its password is nowhere."""

import dataclasses
import logging
import platform
import signal
import subprocess
import sys
import traceback

import pytest
from optuna.storages import InMemoryStorage

from fakes import HOST, IMAGES, STUDY, accuracy, result
from search.study.errors import MachineError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.lock import database_locked
from search.study.replay import replay
from search.study.space import load_study
from search.study.storage import VARIABLE, close_storage, locate, open_storage

pytestmark = pytest.mark.postgres


def play(ledger):
    """Work as one worker until nothing is left; the fourth trial diverges in epoch 2."""
    while (suggestion := ledger.suggest()) is not None:
        record, attempt = ledger.trials[suggestion.number], suggestion.attempt
        epoch = max(record.epochs, default=1)  # a resumed trial reports its last epoch first
        while ledger.report(
            record.number, result(epoch, accuracy(record.params, epoch)), HOST, attempt=attempt
        ):
            epoch += 1
            if record.number == 3:
                ledger.fail(3, kind="diverged", error="in epoch 2", attempt=attempt)
    return ledger


def records(ledger):
    """Return all that the study knows of its trials but how often each was handed out."""
    return [dataclasses.replace(trial, attempts=0) for trial in ledger.trials]


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "results" / "reg")


@pytest.fixture
def config(tmp_path):
    (tmp_path / "reg.yaml").write_text(STUDY)
    return load_study(tmp_path / "reg.yaml")


@pytest.fixture
def uninterrupted(config):
    """The records of the same study in memory, which nothing interrupted."""
    return records(play(Ledger.open(InMemoryStorage(), config)))


def on_server(folder, config):
    """Open the study in the database that the environment names."""
    return opened(folder, config, IMAGES, location=locate(None, folder.database))


def written_in(folder):
    """Return all that lies in a folder, as one text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path} {path.read_bytes()!r}" for path in files)


def assert_no_secret(text):
    """The password's one word that no escape changes."""
    assert "s3cret" not in text


def test_memory_sqlite_and_postgresql_hold_the_same_study(url, folder, config, uninterrupted):
    with opened(StudyFolder(folder.path.parent / "file"), config, IMAGES) as ledger:
        assert records(play(ledger)) == uninterrupted
    with on_server(folder, config) as ledger:
        assert records(play(ledger)) == uninterrupted
    with on_server(folder, config) as ledger:
        assert records(ledger) == uninterrupted
        assert ledger.num_remaining == 0
    assert {trial.state for trial in uninterrupted} == {"COMPLETE", "PRUNED", "FAIL"}
    assert sorted(p.name for p in folder.path.iterdir()) == [".lock", "study.yaml"]
    assert_no_secret(written_in(folder.path))


def test_a_study_that_the_hours_pause_again_and_again_ends_as_the_uninterrupted_one(
    url, folder, config, uninterrupted
):
    for _ in range(4):
        with on_server(folder, config) as ledger:  # paused trials are opened, and none is run
            seconds = ledger.limits.seconds
        budget = dataclasses.replace(config.study, max_hours=(seconds + 1e-6) / 3600)
        with on_server(folder, dataclasses.replace(config, study=budget)) as ledger:
            assert play(ledger).trials[-1].is_paused
    with on_server(folder, config) as ledger:
        assert records(play(ledger)) == uninterrupted
    location = locate(None, folder.database)
    storage = open_storage(location)
    assert replay(storage, study_name=folder.study_name(location)).difference == ""
    close_storage(storage)


def test_studies_of_two_names_share_a_database(url, folder, config):
    with (
        on_server(folder, config) as ledger,
        on_server(StudyFolder(folder.path.parent / "other"), config) as other,
    ):
        ledger.suggest()
        assert (len(ledger.trials), len(other.trials)) == (1, 0)
        assert ledger.id != other.id


PLAY = """\
import sys
from pathlib import Path
sys.path[:0] = map(str, Path(sys.argv[1]).parents[:2])  # this folder and tests/
import test_contract as contract
from search.study.folder import StudyFolder
from search.study.space import load_study
folder = StudyFolder(Path(sys.argv[2]))
with contract.on_server(folder, load_study(Path(sys.argv[3]))) as ledger:
    ledger.observe = lambda trial: print(trial.id, flush=True)
    contract.play(ledger)
"""


@pytest.mark.slow
def test_a_study_killed_again_and_again_ends_as_the_uninterrupted_one(
    url, folder, config, uninterrupted, tmp_path
):
    command = [sys.executable, "-c", PLAY, __file__, str(folder.path), str(tmp_path / "reg.yaml")]
    for num_reports in (1, 4, 6):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(num_reports):
                assert process.stdout.readline()
            process.kill()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with on_server(folder, config) as ledger:
        assert records(ledger) == uninterrupted


HOLD = """\
import sys
from pathlib import Path
from search.study.lock import database_locked
from search.study.storage import locate
with database_locked(locate(None, Path("none")), "reg"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_from_another_folder_is_refused_until_the_first_is_dead(
    url, folder, config
):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(MachineError) as caught, on_server(folder, config):
            pass
        process.send_signal(signal.SIGKILL)
    assert caught.value.exit_code == 3
    owner = f"search process {process.pid} on {platform.node()} (address 127.0.0.1)"
    assert f"the study reg is in use by {owner}" in caught.value.message
    assert "--name" in caught.value.hint
    assert_no_secret(caught.value.as_text())
    for _ in range(5000):  # the server takes a moment to see that its client is gone
        try:
            with database_locked(locate(None, folder.database), "reg"):
                break
        except MachineError:
            continue
    with on_server(folder, config):
        pass


@pytest.mark.parametrize("fault", ["password", "database", "port"])
def test_a_server_that_lets_us_not_in_is_the_machines_fault_and_no_secret_is_told(
    server, folder, config, monkeypatch, caplog, capfd, fault
):
    caplog.set_level(logging.DEBUG)
    urls = {
        "password": server.url("postgres", password="s3cret wrong {x}"),
        "database": server.url("nowhere"),
        "port": server.url("postgres").replace(str(server.port), "1"),
    }
    monkeypatch.setenv(VARIABLE, urls[fault])
    with pytest.raises(MachineError) as caught, on_server(folder, config):
        pass
    assert caught.value.exit_code == 3
    reasons = {"password": "password authentication", "database": "exist", "port": "refused"}
    assert reasons[fault] in caught.value.message
    assert "postgresql://ann:***@127.0.0.1" in caught.value.message
    shown = traceback.format_exception(caught.value)
    for text in (caught.value.as_text(), "".join(shown), caplog.text, *capfd.readouterr()):
        assert_no_secret(text)
    assert_no_secret(written_in(folder.path))


def test_a_password_that_is_needed_and_not_given_is_the_machines_fault(
    server, folder, config, monkeypatch
):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv(VARIABLE, server.url("postgres", password=None))
    with pytest.raises(MachineError, match="no password supplied"), on_server(folder, config):
        pass


def test_the_password_may_come_from_pgpassword(server, url, database, folder, config, monkeypatch):
    password = locate(None, folder.database).secrets[0]
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PGPASSWORD", password)
    location = locate(server.url(database, password=None), folder.database)
    monkeypatch.delenv("PGPASSWORD")
    with opened(folder, config, IMAGES, location=location) as ledger:
        assert ledger.suggest() is not None


def play_until_the_third_trial(ledger, server):
    ledger.observe = lambda trial: server.stop() if trial.number == 2 else None
    play(ledger)


def restart(server):
    server.stop()
    server.start()


def test_a_server_gone_in_mid_study_ends_it_and_the_same_command_goes_on(
    server, url, folder, config, uninterrupted, caplog
):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(MachineError) as caught, on_server(folder, config) as ledger:
        play_until_the_third_trial(ledger, server)
    assert not server.is_running
    server.start()
    assert caught.value.exit_code == 3
    assert "postgresql://ann:***@127.0.0.1" in caught.value.message
    assert "run the same command again" in caught.value.hint
    shown = "".join(traceback.format_exception(caught.value))
    for text in (shown, caplog.text, written_in(folder.path)):
        assert_no_secret(text)
    with on_server(folder, config) as ledger:
        assert records(play(ledger)) == uninterrupted


def test_a_server_that_comes_back_is_not_written_to_without_the_lock(server, url, folder, config):
    lost = pytest.raises(MachineError, match="ended the connection that held the study")
    with lost as caught, on_server(folder, config) as ledger:
        ledger.suggest()
        restart(server)
        ledger.suggest()
    assert "run the same command again" in caught.value.hint
    with on_server(folder, config) as ledger:
        assert len(ledger.trials) == 1
