"""Signals, in processes of their own: what they print, and the code they leave with."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from search.interrupts import SIGNALS, StopRequest

COMMAND = """\
import ctypes, sys, time
from search import cli
from search.interrupts import StopRequest

StopRequest.__init__.__kwdefaults__["deadline"] = float(sys.argv[2])

def polite(stop):
    with stop.awaited():
        print("ready", flush=True)
        while not stop.is_set:
            time.sleep(0.01)
        print("epoch ended", flush=True)

def elsewhere(stop):
    print("ready", flush=True)
    time.sleep(600)

def deaf(stop):  # waits in C without ever coming back to the interpreter
    with stop.awaited():
        print("ready", flush=True)
        thread = ctypes.c_ulong()
        libc = ctypes.CDLL(None)
        forever = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(("pause", libc))
        libc.pthread_create(ctypes.byref(thread), None, forever, None)
        libc.pthread_join(thread, None)  # no signal interrupts it

def starting(stop):  # as Ray does, which takes SIGTERM for itself and answers with SystemExit
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(signal.SIGTERM))
    elsewhere(stop)

def body(arguments):
    globals()[sys.argv[1]](arguments.stop)

sys.exit(cli.run(body, cli.make_parser("search.test", "", ""), []))
"""


@pytest.fixture
def command():
    """A function that starts a command that is ready for signals."""
    started = []

    def start(kind, deadline=30):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, kind, str(deadline)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process):
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "to go on: python -m search.test" in err
    return process.returncode, out


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)]
)
@pytest.mark.parametrize("whole_group", [False, True], ids=["driver", "group"])
def test_one_signal_lets_running_epochs_end(command, signum, code, whole_group):
    process = command("polite")
    (os.killpg if whole_group else os.kill)(process.pid, signum)
    assert ended(process) == (code, "epoch ended\n")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_outside_the_search_a_signal_leaves_at_once(command, signum, code):
    process = command("elsewhere")
    process.send_signal(signum)
    assert ended(process) == (code, "")


def test_a_signal_that_a_library_has_taken_for_itself_still_ends_with_its_code(command):
    process = command("starting")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (143, "")


def test_ctrl_c_twice_leaves_at_once_even_where_nothing_listens(command):
    process = command("deaf", deadline=600)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith("stopping, in 600 s at most")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_deadline_ends_a_command_that_nothing_else_can_end(command, signum, code):
    process = command("deaf", deadline=0.2)
    process.send_signal(signum)
    assert ended(process) == (code, "")


def test_sigterm_again_does_not_cut_the_deadline_short(command):
    process = command("deaf", deadline=600)
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline().startswith("stopping")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (143, "")


def test_handlers_are_given_back(capsys):
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with StopRequest(print, "") as stop:
        assert all(signal.getsignal(signum) not in before for signum in SIGNALS)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # as a library does
        stop.install()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
        assert stop.exit_code == 143
        signal.raise_signal(signal.SIGTERM)  # raises no second time: the command is ending
    assert [signal.getsignal(signum) for signum in SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def work():
        with StopRequest(print, "") as stop:
            stop.install()
            seen.append(stop.is_set)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (seen, signal.getsignal(signal.SIGTERM)) == ([False], before)
