import errno
import logging
import os
import subprocess
import sys

import pytest

from search import cli
from search.study.errors import DamagedStudyError, MachineError, UnfinishedError
from seresnet.errors import CheckpointError, ConfigError, DataError, UserError


def parser():
    return cli.make_parser("search.test", "Test things.", "python -m search.test --thing 'a b'")


def run(body, *argv):
    return cli.run(body, parser(), list(argv))


def raising(error):
    def body(arguments):
        raise error

    return body


def test_a_command_that_ends_well_returns_zero_and_says_nothing_of_its_own(capsys):
    assert run(lambda arguments: cli.output("data")) == 0
    assert capsys.readouterr() == ("data\n", "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (UserError, 2),
        (ConfigError, 2),
        (DataError, 2),
        (CheckpointError, 2),
        (UnfinishedError, 1),
        (MachineError, 3),
        (DamagedStudyError, 4),
    ],
)
def test_each_error_has_its_exit_code_its_line_and_its_hint(capsys, kind, code):
    assert run(raising(kind("a.yaml:3: key: must be > 0, got 0", "use 1"))) == code
    expected = "error: a.yaml:3: key: must be > 0, got 0\nhint: use 1\n"
    assert capsys.readouterr() == ("", expected)


def test_several_problems_stand_a_line_each_above_one_hint(capsys):
    assert run(raising(ConfigError("first\nsecond\nthird", "mend them"))) == 2
    expected = ["error: first", "error: second", "error: third", "hint: mend them"]
    assert capsys.readouterr().err.splitlines() == expected


def test_an_error_without_a_remedy_has_no_hint_line(capsys):
    assert run(raising(DataError("bad"))) == 2
    assert capsys.readouterr().err == "error: bad\n"


def test_an_interrupted_command_says_how_to_go_on(capsys):
    assert run(raising(KeyboardInterrupt()), "-v") == 130
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("to go on: python -m search.test -v\n")
    assert "every finished epoch is kept" in told.err
    assert "Traceback" not in told.err


def test_the_command_is_kept_as_it_must_be_typed():
    kept = []
    options = parser()
    options.add_argument("--thing")
    cli.run(lambda a: kept.append(a.command), options, ["--thing", "two words; rm *"])
    assert kept == ["python -m search.test --thing 'two words; rm *'"]


def test_without_arguments_those_of_the_process_count(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/test.py", "-v"])
    kept = []
    cli.run(kept.append, parser(), None)
    (arguments,) = kept
    assert (arguments.verbose, arguments.command) == (True, "python -m search.test -v")


def test_what_is_our_bug_keeps_its_traceback():
    with pytest.raises(AssertionError, match="ours"):
        run(raising(AssertionError("ours")))


@pytest.mark.parametrize("argument", ["--nonsense", "extra", "--verb"])
def test_wrong_usage_ends_with_code_two(capsys, argument):
    with pytest.raises(SystemExit) as caught:
        run(lambda arguments: None, argument)
    assert caught.value.code == 2
    assert argument in capsys.readouterr().err


def test_help_ends_with_the_example(capsys):
    with pytest.raises(SystemExit) as caught:
        run(lambda arguments: None, "--help")
    assert caught.value.code == 0
    assert capsys.readouterr().out.endswith("example:\n  python -m search.test --thing 'a b'\n")


SCRIPT = """\
import logging, sys
from search import cli

def body(arguments):
    logging.getLogger("a").info("an info")
    logging.getLogger("a").warning("a warning")
    for _ in range({lines}):
        cli.output("row")

sys.exit(cli.run(body, cli.make_parser("search.test", "", ""), {argv}))
"""


def script(argv, *, lines=1, **options):
    """Run a command in a process of its own, as buffered as a person's."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", SCRIPT.format(argv=argv, lines=lines)]
    return subprocess.run(
        command, stderr=subprocess.PIPE, text=True, env=environment, check=False, **options
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param([], "WARNING: a warning\n", id="quiet"),
        pytest.param(["--verbose"], "INFO: an info\nWARNING: a warning\n", id="verbose"),
    ],
)
def test_logs_go_to_stderr_and_data_to_stdout(argv, expected):
    done = script(argv, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "row\n", expected)


@pytest.mark.parametrize("lines", [3, 100_000], ids=["within-a-buffer", "beyond-it"])
def test_a_reader_that_leaves_is_no_error(lines):
    readable, writable = os.pipe()
    os.close(readable)  # as `| head` does once it has seen enough
    try:
        done = script([], lines=lines, stdout=writable)
    finally:
        os.close(writable)
    assert (done.returncode, done.stderr) == (0, "WARNING: a warning\n")


def test_a_full_disk_is_the_machines_fault(capsys):
    assert run(raising(OSError(errno.ENOSPC, "No space left on device", "trials.csv"))) == 3
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "error: trials.csv: No space left on device"
    assert hint.startswith("hint: free space")


@pytest.fixture(autouse=True)
def untouched_logging():
    """`cli.run` configures the root logger, which the other tests share."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
