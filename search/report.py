"""`python -m search.report`: a study as one page, or several side by side, for people."""

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
        "pictures, what made it. With --compare, write a page of several side by side. One file\n"
        "that needs no network. Works on a running study.",
        "python -m search.report --study results/demo",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--study", type=Path, metavar="DIR", help="a study folder")
    several = "two study folders or more, side by side"
    which.add_argument("--compare", type=Path, nargs="+", metavar="DIR", help=several)
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE", help="of --compare; default: compare.html, here")
    add("--storage", metavar="URL", help="of the study; default: study.db in its folder")
    return parser


def _body(arguments: Namespace) -> None:
    from seresnet.errors import ConfigError

    if arguments.compare is not None:
        _compare(arguments)
    elif arguments.out is not None:
        raise ConfigError(
            "--out: must go with --compare, the page of one study lies in its folder",
            "leave it out, and copy report.html from the study's folder",
        )
    else:
        _write_one(arguments)


def _compare(arguments: Namespace) -> None:
    """Write the page of several studies, once they are known to be several."""
    from search.study.folder import StudyFolder
    from search.study.snapshot import take_snapshot
    from search.view.page.compare import compare_page
    from seresnet.errors import ConfigError
    from seresnet.files import write_text

    folders, out = arguments.compare, arguments.out or Path("compare.html")
    if len(folders) < 2:
        raise ConfigError("--compare: must name two studies at least, got one", "name another one")
    named: dict[str, Path] = {}
    for folder in folders:
        other = named.setdefault(folder.resolve().name, folder)
        if other is not folder:
            raise ConfigError(
                f"--compare: names must differ, {other} and {folder} are both called "
                f"{folder.resolve().name}",
                "name a study once; of two with one name, move one to a folder called otherwise",
            )
    if out.suffix != ".html":
        raise ConfigError(f"--out: must end in .html, got {out}", "name the file otherwise")
    snapshots = [take_snapshot(StudyFolder(folder), arguments.storage) for folder in folders]
    write_text(out, compare_page(snapshots))
    cli.output(str(out))


def _write_one(arguments: Namespace) -> None:
    """Write the page of one study into its folder."""
    from search.study.folder import StudyFolder
    from search.study.reading import read
    from search.study.replay import replay
    from search.study.snapshot import snapshot_of
    from search.view.page.page import write_page

    folder = StudyFolder(arguments.study)
    with read(folder, arguments.storage) as (storage, name):
        snapshot = snapshot_of(folder, storage, name)
        replayed = replay(storage, study_name=name, seconds=_REPLAY_SECONDS)
    write_page(snapshot, replayed, folder.report)
    cli.output(str(folder.report))


if __name__ == "__main__":
    sys.exit(main())
