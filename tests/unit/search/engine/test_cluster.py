"""A Ray of one's own or a cluster's: how it is started, joined and ended."""

import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from search.engine import cluster
from search.engine.cluster import session
from search.study.errors import MachineError


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home without a token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    cluster._warn_of_readable.cache_clear()
    return tmp_path


@pytest.fixture
def calls(monkeypatch, home):
    """What is asked of Ray, which is not started."""
    calls = []
    monkeypatch.setattr(ray, "init", lambda **options: calls.append(options))
    monkeypatch.setattr(ray, "shutdown", lambda: calls.append("shutdown"))
    monkeypatch.setattr(cluster, "_LISTENER_PAUSE", 0)
    return calls


@pytest.fixture
def listener():
    """The address of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_session_starts_a_ray_of_its_own_and_ends_it(calls, monkeypatch):
    monkeypatch.setenv("TUNE_FUNCTION_THREAD_TIMEOUT_S", "2")
    with session(num_cpus=2):
        (options,) = calls
        assert options["address"] == "local"  # whatever cluster runs on this machine already
        assert options["include_dashboard"] is False
        assert options["num_cpus"] == 2
        assert options["runtime_env"] is None  # its workers inherit the driver's environment
        assert os.environ["TUNE_FUNCTION_THREAD_TIMEOUT_S"] == "60"
    assert calls[1:] == ["shutdown"]


def test_a_session_ends_though_the_command_failed(calls):
    with pytest.raises(KeyboardInterrupt), session():
        raise KeyboardInterrupt
    assert calls[1:] == ["shutdown"]


def test_a_session_joins_the_cluster_that_was_named_and_brings_its_code(calls, listener):
    with session(address=listener):
        assert calls[0]["address"] == listener
        assert calls[0]["include_dashboard"] is None
        sent = calls[0]["runtime_env"]["py_modules"]
        assert [Path(path).name for path in sent] == ["seresnet", "search"]
        assert calls[0]["runtime_env"]["excludes"] == ["__pycache__/"]
        assert calls[0]["runtime_env"]["env_vars"]["RAY_CHDIR_TO_TRIAL_DIR"] == "0"


def test_what_is_to_happen_after_rays_start_happens_then_and_rays_end_is_certain(calls):
    def fail():
        calls.append("after")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), session(after_start=fail):
        pass
    assert calls[1:] == ["after", "shutdown"]


def test_f22_ray_that_does_not_start_at_once_is_started_again(monkeypatch, calls):
    outcomes = [RuntimeError("ports are busy"), None]

    def init(**_):
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(ray, "init", init)
    with session():
        assert not outcomes
    assert calls == ["shutdown", "shutdown"]  # the half start's, and the session's


@pytest.mark.parametrize(
    ("joins", "tries", "message", "hint"),
    [
        pytest.param(True, 1, "the cluster at 127.0.0.1:.*: no route", "token", id="join"),
        pytest.param(False, 2, "Ray on this machine: no route", "see its log: .*/ray", id="start"),
    ],
)
def test_f22_a_ray_that_cannot_be_had_is_the_machines_fault(
    monkeypatch, calls, listener, joins, tries, message, hint
):
    tried = []

    def refuse(**_):
        tried.append(1)
        raise ConnectionError("no route\nand more")

    monkeypatch.setattr(ray, "init", refuse)
    address = listener if joins else None
    with pytest.raises(MachineError, match=message) as caught, session(address=address):
        pass
    assert caught.value.exit_code == 3
    assert caught.match(message)
    assert re.search(hint, caught.value.hint)
    assert len(tried) == tries  # Ray itself tries for minutes to join


def test_f22_the_hint_names_the_newest_logs(monkeypatch, calls, tmp_path):
    (tmp_path / "ray" / "session_1").mkdir(parents=True)
    (tmp_path / "ray" / "session_latest").symlink_to("session_1")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))

    def refuse(**_):
        raise RuntimeError("no")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(MachineError) as caught, session():
        pass
    assert str(tmp_path / "ray" / "session_1" / "logs") in caught.value.hint


def test_an_address_where_nothing_listens_is_refused_in_seconds(calls):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with (
        pytest.raises(MachineError, match=f"cannot reach the cluster at {address}") as caught,
        session(address=address),
    ):
        pass
    assert caught.value.exit_code == 3
    assert not calls


def test_addresses_that_ray_alone_can_read_are_left_to_it(calls):
    with session(address="auto"):
        assert calls[0]["address"] == "auto"


def write_token(home, mode):
    token = home / ".ray" / "auth_token"
    token.parent.mkdir(exist_ok=True)
    token.write_text("secret")
    token.chmod(mode)
    return token


def test_a_token_that_ray_makes_is_for_its_owner_alone(monkeypatch, calls, home):
    monkeypatch.setattr(ray, "init", lambda **_: write_token(home, 0o644))
    with session():
        token = home / ".ray" / "auth_token"
        assert token.stat().st_mode & 0o777 == 0o600


def test_a_token_that_others_can_read_is_left_and_told_of_once(calls, home, caplog):
    token = write_token(home, 0o640)
    for _ in range(2):
        with session():
            pass
    assert token.stat().st_mode & 0o777 == 0o640
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"chmod 600 {token}" in caplog.text
    assert "secret" not in caplog.text


def test_a_token_of_its_owner_alone_needs_no_word(calls, home, caplog):
    write_token(home, 0o600)
    with session():
        pass
    assert not caplog.records


def test_an_open_ray_is_warned_of(monkeypatch, calls, caplog):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with session():
        pass
    assert "RAY_AUTH_MODE=disabled: everybody who reaches Ray's ports can run code" in caplog.text


def test_ray_does_not_inherit_where_the_database_is(monkeypatch, calls):
    monkeypatch.setenv("SEARCH_STORAGE_URL", "postgresql://me:secret@host/db")
    seen = []
    monkeypatch.setattr(ray, "init", lambda **_: seen.append(dict(os.environ)))
    with session():
        assert os.environ["SEARCH_STORAGE_URL"] == "postgresql://me:secret@host/db"
    assert not any("secret" in value for value in seen[0].values())


def test_what_ray_prints_at_its_start_is_kept_off_stdout(monkeypatch, calls, capsys):
    monkeypatch.setattr(ray, "init", lambda **_: sys.stdout.write("Started a local Ray\n"))
    with session():
        sys.stdout.write("data\n")
    assert capsys.readouterr() == ("data\n", "Started a local Ray\n")


SPY = """\
import os, sys

class Spy:
    def find_spec(self, name, *_):
        if name == "ray":
            print(*(os.environ.get(name) for name in sys.argv[1:]))
            sys.exit()

sys.meta_path.insert(0, Spy())
import search.engine.cluster
"""


def test_ray_is_told_to_be_silent_before_it_is_imported():
    names = [
        "RAY_USAGE_STATS_ENABLED", "RAY_AIR_NEW_OUTPUT", "RAY_CHDIR_TO_TRIAL_DIR",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "TUNE_DISABLE_STRICT_METRIC_CHECKING",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k not in names}
    command = [sys.executable, "-c", SPY, *names]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.split() == ["0", "0", "0", "1", "1"]
