import contextlib
import io
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading

import pytest
from optuna.storages import InMemoryStorage
from rich.console import Console
from rich.live import Live

from fakes import HOST
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.view.live import View, watch


@pytest.fixture
def plain(ledger, clock):
    """A view where stderr is no terminal, and a function that returns what was told there."""
    console = Console(file=io.StringIO(), width=40)
    view = View(ledger, console)
    ledger.observe = view.trial_changed
    return view, lambda: console.file.getvalue().splitlines()


@pytest.fixture
def drawn(ledger, clock):
    """A view on a terminal."""
    return View(ledger, Console(file=io.StringIO(), force_terminal=True))


def test_off_a_terminal_a_line_tells_of_each_finished_trial(ledger, plain, run, clock):
    _, lines = plain
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    clock.now += 8
    run(ledger, 0.2, 0.3, 0.5, 0.6)
    ledger.fail(run(ledger), kind="diverged", error="diverged in epoch 1: loss not finite")
    assert lines() == [
        "t0000 baseline COMPLETE (max_epochs) val_accuracy 0.4000 at epoch 4 | 1/6 trials "
        "(1 complete), 4 of at most 24 epochs, best: t0000 0.4000, +0.0000 over the baseline, "
        "0:00:00 elapsed, at most 0:00:00 left (done by 12:00)",
        "t0001 plain COMPLETE (max_epochs) val_accuracy 0.6000 at epoch 4 | 2/6 trials "
        "(2 complete), 8 of at most 24 epochs, best: t0001 0.6000, +0.2000 over the baseline, "
        "0:00:08 elapsed, at most 0:00:16 left (done by 12:00)",
        "t0002 FAIL (diverged in epoch 1: loss not finite) | 3/6 trials (2 complete, 1 fail), "
        "8 of at most 20 epochs, best: t0001 0.6000, +0.2000 over the baseline, "
        "0:00:08 elapsed, at most 0:00:12 left (done by 12:00)",
    ]


def test_off_a_terminal_epochs_alone_are_told_of_now_and_then(ledger, plain, run, result, clock):
    _, lines = plain
    number = run(ledger, 0.1)
    assert lines() == []
    clock.now += 31
    ledger.report(number, result(2), HOST, attempt=1)
    assert lines() == [
        "0/6 trials (1 running), 2 of at most 24 epochs, best: no full trial yet, "
        "0:00:31 elapsed, at most 0:05:41 left (done by 12:06)"
    ]
    ledger.report(number, result(3), HOST, attempt=1)
    assert len(lines()) == 1


def test_off_a_terminal_a_stage_tells_of_its_runs_and_of_each_end(plain, result, clock):
    view, lines = plain
    view.begins("retrain", {"seed0": 3, "seed1": 3, "seed2": 3}, {"seed2"}, 2)
    view.trained("retrain", "seed0", result(1), 3)
    view.trained("retrain", "seed0", result(2), 3)
    assert lines() == ["retrain: 1/3 runs, 0 of 6 epochs"]
    clock.now += 31
    view.trained("retrain", "seed1", result(1), 3)
    view.trained("retrain", "seed0", result(3), 3)
    view.diverged("retrain", "seed1")
    assert lines()[1:] == [
        "retrain seed1: epoch 1/3, val_accuracy 0.5000 | 1/3 runs, 3 of 6 epochs, "
        "0:00:31 elapsed, about 0:00:04 left (done at 12:00)",
        "retrain seed0: epoch 3/3, val_accuracy 0.5000 | 2/3 runs, 4 of 6 epochs, "
        "0:00:31 elapsed, about 0:00:04 left (done at 12:00)",
        "retrain seed1: diverged | 3/3 runs, 4 of 4 epochs, "
        "0:00:31 elapsed, about 0:00:00 left (done at 12:00)",
    ]


def test_what_a_worker_says_is_shown_as_it_is(ledger, plain, run):
    error = "ValueError: [red]no[/red] [/oops] \\[x] 100%"
    ledger.fail(run(ledger), kind="exception", error=error)
    assert f"({error})" in plain[1]()[0]


def test_plain_lines_carry_no_control_codes(ledger, plain, run):
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    assert all(line.isprintable() for line in plain[1]())


def test_a_trial_that_is_paused_is_told_and_counted_apart(study_config, run, shown):
    times = iter([0.0, 1.0, 9.0])
    config = with_budget(study_config, max_hours=5 / 3600)
    ledger = Ledger.open(InMemoryStorage(), config, clock=lambda: next(times))
    console = Console(file=io.StringIO(), width=40)
    view = View(ledger, console)
    ledger.observe = view.trial_changed
    run(ledger, 0.4, 0.5)
    line = console.file.getvalue().splitlines()[-1]
    assert line.startswith("t0000 baseline PRUNED (budget) val_accuracy 0.5000 at epoch 2 | ")
    assert "0/6 trials (1 paused), 2 of at most 2 epochs" in line
    text = " ".join(" ".join(shown(view, 120)).split())
    assert "budget the budget of 0.00138889 hours is used" in text


@pytest.mark.parametrize("width", [200, 80, 40, 20])
def test_a_terminal_shows_the_incumbent_and_what_runs(busy, drawn, shown, width):
    drawn.trial_changed(busy.trials[3])
    text = "\n".join(shown(drawn, width))
    if width >= 40:
        assert "best    t0001 0.7000, +0.3000" in text
        assert "3/6 trials" in text
    assert all(name in text for name in ("t0003", "t0004", "t0005"))
    assert "t0002" not in text


def test_a_terminal_shows_the_runs_of_one_stage_alone(drawn, result, shown, clock):
    epochs = {"t0001-seed11": 4, "t0000-seed11": 4}
    drawn.begins("confirm", epochs, (), 2)
    assert shown(drawn, 80)[0].endswith("0/2 runs, 0 of 8 epochs")
    drawn.trained("confirm", "t0001-seed11", result(1), 4)
    lines = shown(drawn, 80)
    assert lines[0].endswith("0/2 runs, 1 of 8 epochs")
    assert lines[3].endswith("about 0:00:08 left (done at 12:00)")
    assert lines[4].startswith("t0001-seed11")
    drawn.begins("retrain", {"seed0": 3}, (), 1)
    drawn.trained("retrain", "seed0", result(1), 3)
    text = "\n".join(shown(drawn, 80))
    assert "retrain" in text
    assert "seed11" not in text


def test_a_search_that_goes_on_is_shown_again(busy, drawn, result, shown):
    drawn.trained("retrain", "seed0", result(1), 3)
    drawn.trial_changed(busy.trials[3])
    assert "3/6 trials" in "\n".join(shown(drawn, 80))


@pytest.mark.parametrize("width", [80, 40])
def test_the_live_view_follows_the_study(ledger, run, width):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=25)
    view = View(ledger, console)
    ledger.observe = view.trial_changed
    with Live(get_renderable=view.__rich__, console=console, auto_refresh=False) as live:
        run(ledger, 0.1, 0.2, 0.3, 0.4)
        live.refresh()
        assert "t0000" in file.getvalue()
        assert "t0001" not in file.getvalue()
        run(ledger, 0.4, 0.5, 0.6, 0.7)
        live.refresh()
        assert "t0001" in file.getvalue()


def test_watch_writes_plain_lines_to_stderr_where_it_is_no_terminal(ledger, run, capsys):
    with watch(ledger) as view:
        ledger.observe = view.trial_changed
        run(ledger, 0.1, 0.2, 0.3, 0.4)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("t0000 baseline COMPLETE (max_epochs)")
    assert len(told.err.splitlines()) == 1


def test_watch_draws_on_stderr_where_it_is_a_terminal(ledger, run, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    with watch(ledger) as view:
        ledger.observe = view.trial_changed
        run(ledger, 0.1, 0.2, 0.3, 0.4)
    told = capsys.readouterr()
    assert told.out == ""
    assert "\x1b[" in told.err
    assert "t0000" in told.err


@pytest.mark.parametrize(
    ("variable", "value", "is_drawn"), [("NO_COLOR", "1", True), ("TERM", "dumb", False)], ids=str
)
def test_a_terminal_is_drawn_on_as_far_as_it_can_be(
    ledger, run, capsys, monkeypatch, variable, value, is_drawn
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for rich
    monkeypatch.setenv(variable, value)
    with watch(ledger) as view:
        ledger.observe = view.trial_changed
        run(ledger, 0.1, 0.2, 0.3, 0.4)
        run(ledger, 0.5)
    told = capsys.readouterr().err
    assert ("\x1b[" in told) == is_drawn
    assert not COLOUR.search(told)
    assert ("t0000 baseline COMPLETE" in told) != is_drawn


CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m|\x1b\[9[0-7]m")
DRIVER = """\
import sys
from optuna.storages import InMemoryStorage
import fakes
from search.study.ledger import Ledger
from search.view.live import watch
ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
with watch(ledger) as view:
    ledger.observe = view.trial_changed
    fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
    fakes.run(ledger, 0.1, 0.2)
    fakes.run(ledger, 0.1)
    print("drawn", flush=True)
    sys.stdin.readline()
    fakes.run(ledger, 0.1, 0.2, 0.3)
    print("again", flush=True)
    sys.stdin.readline()
"""


class Terminal:
    """A pseudo-terminal at the stderr of a process that shows a study."""

    def __init__(self, columns):
        self.master, slave = pty.openpty()
        self._resize(columns)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=pipe, stdout=pipe, stderr=slave, text=True,
            env={"TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        os.close(slave)
        self._seen, self._more = "", threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(self.master, 65536):
                with self._more:
                    self._seen += data.decode()
                    self._more.notify()

    def _resize(self, columns):
        termios.tcsetwinsize(self.master, (24, columns))

    def resize(self, columns):
        self._resize(columns)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, pattern):
        """Return what came until a pattern has, and forget it."""
        with self._more:
            assert self._more.wait_for(lambda: re.search(pattern, self._seen), 30), self._seen
            seen, self._seen = self._seen, ""
        return seen

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.process:
            self.process.kill()
        self._reader.join()
        os.close(self.master)


def test_a_real_terminal_is_drawn_anew_when_it_becomes_narrow():
    with Terminal(100) as terminal:
        seen = terminal.wait_for(r"t0002 .*1/4")
        assert COLOUR.search(seen)
        assert re.search(r"t0001 .*2/4 .*0\.2000 .*images/s", CONTROL.sub("", seen))
        terminal.resize(40)
        seen = terminal.wait_for(r"(?s)\x1b\[2J.*t0002 .*1/4")
        empty = seen.rpartition("\x1b[2J")[2]
        lines = CONTROL.sub("", empty).replace("\r", "").splitlines()
        assert max(map(len, lines)) <= 40
        terminal.go_on()
        assert "\x1b[2J" not in terminal.wait_for(r"t0003 ")
        terminal.go_on()
        assert terminal.process.wait(30) == 0
