"""What all commands share: exit codes, logging, and the only `print`."""

import logging
import os
import shlex
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence

from search import failpoints
from search.interrupts import StopRequest
from seresnet.errors import SystemRefusalError, UserError


class _Notes(logging.Handler):
    """Writes log records as notes: to the stderr of the moment, which a live view takes over."""

    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


def make_parser(command: str, description: str, example: str) -> ArgumentParser:
    """Return a parser whose help ends with an example."""
    parser = ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show workers' output too")
    return parser


def run(
    body: Callable[[Namespace], None], parser: ArgumentParser, argv: Sequence[str] | None
) -> int:
    """Parse, call, and turn what happened into an exit code.

    Args:
        body: does the command's work.
        parser: from `make_parser`.
        argv: arguments, those of the process if none are given.

    Returns:
        0 done; the error's code after `error:` and `hint:` lines; 3 the system refused a file or a
        connection, such as for a full disk; 130 interrupted; 143 terminated.
    """
    arguments = parser.parse_args(argv)
    typed = sys.argv[1:] if argv is None else argv
    arguments.command = shlex.join([*parser.prog.split(), *typed])
    level = logging.INFO if arguments.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s", handlers=[_Notes()])
    failpoints.arm()
    goes_on = f"every finished epoch is kept; to go on: {arguments.command}"
    stop = StopRequest(note, goes_on)
    try:
        with stop as arguments.stop:
            body(arguments)
            sys.stdout.flush()
    except UserError as error:
        note(error.as_text())
        return error.exit_code
    except (KeyboardInterrupt, SystemExit):
        # While Ray starts, SIGTERM is its own: it answers with SystemExit.
        if sys.exc_info()[0] is SystemExit and not stop.is_set:
            raise
        note(goes_on)
        return stop.exit_code
    except BrokenPipeError:
        # The reader of stdout has left, as `| head` does; nothing more can be shown to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        logging.info("the system refused", exc_info=error)
        refusal = SystemRefusalError(error)
        note(refusal.as_text())
        return refusal.exit_code
    return 0


def note(text: str) -> None:
    """Write a line for the person who watches, to stderr."""
    print(text, file=sys.stderr)


def output(text: str) -> None:
    """Write data, such as a table or the path of what was made, to stdout."""
    print(text)
