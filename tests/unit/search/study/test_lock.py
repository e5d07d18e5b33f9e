import contextlib
import fcntl
import json
import os
import platform
import subprocess
import sys

import pytest
from optuna.storages import InMemoryStorage

from search.study import lock
from search.study.errors import MachineError
from search.study.lock import database_locked, driver_of, locked
from search.study.storage import Location

HOLD = """\
import subprocess, sys
from pathlib import Path
from search.study.lock import locked
with locked(Path(sys.argv[1])):
    child = subprocess.Popen(["cat"], stdin=sys.stdin, close_fds=False) if sys.argv[2:] else None
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holder(folder, *arguments):
    """Another process that holds the folder until it is killed or its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(folder), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_second_driver_is_refused_and_told_who_holds_the_study(tmp_path):
    with holder(tmp_path) as process:
        with pytest.raises(MachineError) as caught, locked(tmp_path):
            pass
        assert caught.value.exit_code == 3
        assert str(tmp_path) in caught.value.message
        assert f"process {process.pid} on {platform.node()} since 20" in caught.value.message
        assert "--name" in caught.value.hint


def test_a_refused_driver_leaves_the_owners_mark(tmp_path):
    with holder(tmp_path) as process:
        for _ in range(2):
            with pytest.raises(MachineError, match=f"process {process.pid}"), locked(tmp_path):
                pass
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == process.pid


def test_the_lock_is_free_once_its_holder_is_killed(tmp_path):
    with holder(tmp_path) as process:
        process.kill()  # SIGKILL: nothing is tidied up
        process.wait()
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == process.pid
        with locked(tmp_path):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def test_a_child_that_outlives_the_killed_holder_does_not_keep_the_lock(tmp_path):
    with holder(tmp_path, "with a child") as process:
        process.kill()
        process.wait()
        with locked(tmp_path):  # the child still waits for its stdin, as Ray's daemons outlive us
            pass


def test_the_lock_is_free_after_its_block_though_it_raised(tmp_path):
    with pytest.raises(RuntimeError, match="boom"), locked(tmp_path):
        raise RuntimeError("boom")
    with locked(tmp_path), pytest.raises(MachineError), locked(tmp_path):
        pass


def test_a_new_owner_leaves_nothing_of_the_last_ones_mark(tmp_path):
    (tmp_path / ".lock").write_text(json.dumps({"host": "h" * 500, "pid": 1, "since": "then"}))
    with locked(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["host"] == platform.node()


def test_other_folders_are_free(tmp_path):
    (tmp_path / "other").mkdir()
    with locked(tmp_path), locked(tmp_path / "other"):
        pass


@pytest.mark.parametrize("mark", ["", "{", "[]", "{}", '{"pid": 1}'], ids=repr)
def test_a_mark_that_cannot_be_read_names_another_process(tmp_path, mark):
    with locked(tmp_path):
        (tmp_path / ".lock").write_text(mark)
        with pytest.raises(MachineError, match="in use by another process"), locked(tmp_path):
            pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises(MachineError, match="the lock cannot be taken"), locked(tmp_path):
        pass
    assert victim.read_text() == "precious"


def test_a_lock_file_that_cannot_be_opened_is_the_machines_fault(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(MachineError, match=r"\.lock: .* Is a directory") as caught:
        locked(tmp_path).__enter__()
    assert "--name" in caught.value.hint


def test_a_file_needs_no_lock_beside_that_of_its_folder(tmp_path):
    location = Location.of_file(tmp_path / "study.db")
    with database_locked(location, "reg") as first, database_locked(location, "reg") as second:
        first(InMemoryStorage())
        second(InMemoryStorage())
    assert list(tmp_path.iterdir()) == []


def test_who_drives_a_study_is_told_while_it_does(tmp_path):
    assert driver_of(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []  # nothing is made by asking
    with holder(tmp_path) as process:
        mark = (tmp_path / ".lock").read_bytes()
        assert driver_of(tmp_path).startswith(f"process {process.pid} on {platform.node()} since")
        assert (tmp_path / ".lock").read_bytes() == mark
    assert driver_of(tmp_path) == ""


def test_who_drives_a_study_is_not_known_where_the_lock_cannot_be_opened(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    assert driver_of(tmp_path) is None


def test_a_driver_waits_for_a_glance_at_its_lock(tmp_path, monkeypatch):
    (tmp_path / ".lock").touch()
    glance = (tmp_path / ".lock").open()
    fcntl.flock(glance, fcntl.LOCK_SH)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        glance.close()

    monkeypatch.setattr(lock.time, "sleep", sleep)
    with locked(tmp_path):
        assert driver_of(tmp_path)
    assert len(waits) == 1
