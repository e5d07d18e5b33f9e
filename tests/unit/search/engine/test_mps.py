"""The private MPS daemon, played by a script that writes down how it was called."""

import json
import os
import sys
from pathlib import Path

import pytest

from search.engine import mps
from search.engine.mps import PROGRAM, Daemon, MpsRefusedError, join

SCRIPT = """\
#!{python}
import json, os, sys
names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY", "CUDA_VISIBLE_DEVICES", "SECRET")
call = {{"arguments": sys.argv[1:], "words": sys.stdin.read()}}
call |= {{name: os.environ.get(name) for name in names}}
call["pipe exists"] = os.path.isdir(call["CUDA_MPS_PIPE_DIRECTORY"])
with open({calls!r}, "a") as file:
    file.write(json.dumps(call) + "\\n")
if {failing!r} and ({failing!r} == "all" or call["arguments"] == [{failing!r}]):
    sys.exit("Cannot start: an MPS daemon\\nis not allowed here")
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function that puts the script on PATH, and a function that returns its calls."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(mps.tempfile, "tempdir", None)
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)

    def install(failing=""):
        path = folder / PROGRAM
        path.write_text(SCRIPT.format(python=sys.executable, calls=str(calls), failing=failing))
        path.chmod(0o700)
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return install


def folders(tmp_path):
    return list(tmp_path.glob("search-mps-*"))


def test_a_daemon_is_started_once_in_a_folder_of_its_own_and_ended_by_its_own_command(
    program, tmp_path, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("SECRET", "password")
    calls = program()
    with Daemon(is_local=True) as daemon:
        assert not folders(tmp_path)
        pipe = daemon.start()
        assert daemon.start() == pipe
        (folder,) = folders(tmp_path)
        assert (Path(pipe).parent, folder.stat().st_mode & 0o777) == (folder, 0o700)
        (start,) = calls()
    assert (start["arguments"], start["words"], start["pipe exists"]) == (["-d"], "", True)
    assert start["CUDA_MPS_PIPE_DIRECTORY"] == pipe
    assert Path(start["CUDA_MPS_LOG_DIRECTORY"]).parent == folder
    assert (start["CUDA_VISIBLE_DEVICES"], start["SECRET"]) == (None, None)
    end = calls()[1]
    assert (len(calls()), end["arguments"], end["words"]) == (2, [], "quit\n")
    assert end["CUDA_MPS_PIPE_DIRECTORY"] == pipe
    assert not folders(tmp_path)


def test_a_daemon_is_ended_though_the_command_fails(program, tmp_path):
    calls = program()
    daemon = Daemon(is_local=True)
    daemon.start()
    with pytest.raises(KeyboardInterrupt), daemon:
        raise KeyboardInterrupt
    assert [call["words"] for call in calls()] == ["", "quit\n"]
    assert not folders(tmp_path)


def test_a_daemon_that_was_ended_can_be_started_again_and_ends_once(program):
    calls = program()
    with Daemon(is_local=True) as daemon:
        first = daemon.start()
        daemon.stop()
        daemon.stop()
        assert daemon.start() != first
    assert [call["words"] for call in calls()] == ["", "quit\n", "", "quit\n"]


def test_a_daemon_that_was_not_asked_for_is_not_started(program, tmp_path):
    program()
    with Daemon(is_local=True) as daemon:
        daemon.stop()
    assert not (tmp_path / "calls").exists()


def test_a_refusal_says_what_the_program_said_and_leaves_nothing(program, tmp_path):
    calls = program(failing="-d")
    with Daemon(is_local=True) as daemon:
        with pytest.raises(
            MpsRefusedError, match="refused: Cannot start: an MPS daemon is not allowed here"
        ):
            daemon.start()
        assert not folders(tmp_path)
    assert [call["words"] for call in calls()] == ["", "quit\n"]  # in case it came late


def test_a_program_that_does_not_answer_is_not_waited_for(program, tmp_path, monkeypatch):
    program()
    monkeypatch.setattr(mps, "_PATIENCE_SECONDS", 1e-6)
    with Daemon(is_local=True) as daemon, pytest.raises(MpsRefusedError, match="no answer within"):
        daemon.start()
    assert not folders(tmp_path)


def test_a_daemon_that_stays_is_named_with_what_would_end_it(program, tmp_path, caplog):
    program()
    with Daemon(is_local=True) as daemon:
        pipe = daemon.start()
        program(failing="all")
    assert "has not ended yet: refused: Cannot start" in caplog.text
    assert f"echo quit | CUDA_MPS_PIPE_DIRECTORY={pipe} {PROGRAM}" in caplog.text
    assert folders(tmp_path)


@pytest.mark.parametrize(
    ("is_local", "variable", "is_there", "reason"),
    [
        pytest.param(False, "", True, "not tried on a cluster", id="cluster"),
        pytest.param(True, "/mine", True, "names a daemon of yours", id="own-daemon"),
        pytest.param(True, "", False, f"no {PROGRAM} on PATH", id="no-program"),
    ],
)
def test_where_a_daemon_has_no_place_none_is_started(
    program, tmp_path, monkeypatch, is_local, variable, is_there, reason
):
    if is_there:
        program()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", variable)
    with (
        Daemon(is_local=is_local) as daemon,
        pytest.raises(MpsRefusedError, match=reason),
    ):
        daemon.start()
    assert not (tmp_path / "calls").exists()
    assert not folders(tmp_path)


def test_a_process_joins_a_daemon_through_its_environment(monkeypatch):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/another")
    join(None)
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/another"
    join("/pipe")
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/pipe"
