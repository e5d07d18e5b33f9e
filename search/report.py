"""`python -m search.report`: a study as one page, for people."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from search import cli

_REPLAY_SECONDS = 5.0
"""For deriving suggestions again; those that are left are taken over, which the page says."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.report",
        "Write a study's page, report.html in its folder: the answer in words, what to check, the\n"
        "pictures, what made it. One file that needs no network. Works on a running study.",
        "python -m search.report --study results/demo",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--storage", metavar="URL", help="of the study; default: study.db in its folder")
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.folder import StudyFolder
    from search.study.reading import read
    from search.study.replay import replay
    from search.study.snapshot import take_snapshot
    from search.view.page.page import write_page

    folder = StudyFolder(arguments.study)
    with read(folder, arguments.storage) as (storage, name):
        replayed = replay(storage, study_name=name, seconds=_REPLAY_SECONDS)
    write_page(take_snapshot(folder, arguments.storage), replayed, folder.report)
    cli.output(str(folder.report))


if __name__ == "__main__":
    sys.exit(main())
