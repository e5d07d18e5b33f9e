"""`python -m search.replay`: derive a study's every suggestion and stop again, and compare."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from search import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.replay",
        "Derive every suggestion and every decision of a study again, from its settings and the\n"
        "order of its events, and compare. Reads only; trains nothing, starts no Ray.",
        "python -m search.replay --study results/demo",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--storage", metavar="URL", help="of the study; default: study.db in its folder")
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.errors import UnfinishedError
    from search.study.folder import StudyFolder
    from search.study.reading import read
    from search.study.replay import describe, replay
    from search.view.bar import progress_bar

    folder = StudyFolder(arguments.study)
    with (
        read(folder, arguments.storage) as (storage, name),
        progress_bar("replaying") as advance,
    ):
        verdict = replay(storage, study_name=name, observe=advance)
    if verdict.difference:
        raise UnfinishedError(
            f"{folder.path}: {describe(verdict)}",
            "the study was changed after it was made, or made by another version: see "
            "provenance.json",
        )
    cli.output(describe(verdict))


if __name__ == "__main__":
    sys.exit(main())
