import subprocess
import sys

import pytest

from search.engine.hang import bounded, hang_place

SCRIPT = """\
import sys, time
from pathlib import Path
from search.engine.hang import bounded

def epochs():
    yield 1
    time.sleep(600)

for epoch in bounded(epochs(), Path(sys.argv[1]), 0.2):
    print(epoch, flush=True)
"""


def test_an_epoch_that_never_ends_ends_its_process_and_leaves_its_place(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, b"1\n")
    assert hang_place(tmp_path) == "<string>:7"


@pytest.mark.parametrize("seconds", ["none", 60.0])
def test_epochs_that_end_in_time_leave_nothing(tmp_path, seconds):
    assert list(bounded(iter([1, 2, 3]), tmp_path / "run", seconds)) == [1, 2, 3]
    assert hang_place(tmp_path / "run") is None
    assert not list(tmp_path.rglob("hung.txt"))


def test_a_timer_does_not_run_while_nobody_asks_for_the_next_epoch(tmp_path, monkeypatch):
    armed = []
    faulthandler = "search.engine.hang.faulthandler"
    monkeypatch.setattr(f"{faulthandler}.dump_traceback_later", lambda *_, **__: armed.append(1))
    monkeypatch.setattr(f"{faulthandler}.cancel_dump_traceback_later", armed.clear)
    for _ in bounded(iter([1, 2]), tmp_path, 5.0):
        assert armed == []


def test_a_kill_while_the_timer_ran_is_no_hang(tmp_path):
    (tmp_path / "hung.txt").write_text("")
    assert hang_place(tmp_path) is None


def test_a_stack_without_frames_still_says_that_it_hung(tmp_path):
    (tmp_path / "hung.txt").write_text("Timeout (0:00:05)!\n")
    assert hang_place(tmp_path) == "unknown place"
