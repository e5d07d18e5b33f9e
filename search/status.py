"""`python -m search.status`: where studies stand, running ones too, without touching them."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from datetime import datetime

    from search.study.folder import StudyFolder
    from search.study.records import TrialRecord
    from search.study.standing import Standing
    from seresnet.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.status",
        "Say where a study stands: its stage, who drives it, the best trial and its gain, who\n"
        "works on what, and when it may be done. Without --study, a line for each study. Studies\n"
        "may be running: nothing is written, no lock is held, and nobody waits.",
        "python -m search.status --study results/demo",
    )
    add = parser.add_argument
    add("--study", type=Path, metavar="DIR", help="a study folder")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    add("--storage", metavar="URL", help="of --study; default: study.db in its folder")
    add_format(parser)
    return parser


def _body(arguments: Namespace) -> None:
    if arguments.study is None:
        _show_all(arguments)
    else:
        _show_one(arguments)


def _show_one(arguments: Namespace) -> None:
    from search.study.folder import StudyFolder
    from search.view.formats import as_csv, as_json
    from search.view.status import describe_standing, details_of, record_of

    standing = _look(StudyFolder(arguments.study), arguments.storage)
    match arguments.format:
        case "json":
            cli.output(as_json(details_of(standing)))
        case "csv":
            cli.output(as_csv([record_of(standing)]))
        case _:
            cli.output(describe_standing(standing, _now()))


def _show_all(arguments: Namespace) -> None:
    """Print a row a folder; one that holds no sound study says so in its row."""
    from search.view.formats import as_csv, as_json, as_table
    from search.view.status import record_of, rows_of
    from seresnet.errors import ConfigError, DataError

    if arguments.storage is not None:
        raise ConfigError("--storage: must stand beside --study", "add --study, or drop it")
    if not arguments.results.is_dir():
        raise DataError(f"{arguments.results}: no such folder", "name one with --results")
    standings = [_look_anyway(folder) for folder in _folders(arguments.results)]
    match arguments.format:
        case "json":
            cli.output(as_json([record_of(standing) for standing in standings]))
        case "csv":
            cli.output(as_csv([record_of(standing) for standing in standings]))
        case _ if standings:
            cli.output(as_table(rows_of(standings, _now())))
        case _:
            cli.note(f"{arguments.results}: no studies")


def _folders(results: Path) -> "list[StudyFolder]":
    from search.study.folder import StudyFolder

    paths = sorted(path for path in results.iterdir() if path.is_dir())
    return [StudyFolder(path) for path in paths if not path.name.startswith(".")]


def _look(folder: "StudyFolder", flag: str | None) -> "Standing":
    """Return where a study stands; where its tables alone are there, what they say.

    Raises:
        UserError: the folder holds no study, a damaged one, or one that cannot be read now.
    """
    from search.study.standing import look, without_study
    from seresnet.errors import UserError

    try:
        return look(folder, flag)
    except UserError as error:
        if flag is not None or folder.database.exists() or not _has_tables(folder):
            raise
        problem = f"shown from its tables: {_short(error, folder)}"
        return without_study(folder, "tables only", problem, _read_tables(folder))


def _look_anyway(folder: "StudyFolder") -> "Standing":
    """Return where a folder stands, whatever lies in it."""
    from search.study.errors import DamagedStudyError
    from search.study.standing import without_study
    from seresnet.errors import UserError

    try:
        return _look(folder, None)
    except DamagedStudyError as error:
        return without_study(folder, "damaged", _short(error, folder))
    except UserError as error:
        is_study = any(path.exists() for path in (folder.database, folder.provenance))
        state = "unreadable" if is_study or _has_tables(folder) else "no study"
        return without_study(folder, state, _short(error, folder))
    except OSError as error:
        return without_study(folder, "unreadable", str(error))


def _short(error: "UserError", folder: "StudyFolder") -> str:
    """Return what is wrong, without the path of the folder, which stands beside it."""
    return error.message.removeprefix(f"{folder.path}: ").replace(f"{folder.path}/", "")


def _has_tables(folder: "StudyFolder") -> bool:
    tables = (folder.study_file, folder.path / "trials.csv", folder.path / "epochs.csv")
    return all(path.is_file() for path in tables)


def _read_tables(folder: "StudyFolder") -> "list[TrialRecord]":
    from search.results import read_records
    from search.study.space import load_resolved

    return read_records(folder.path, list(load_resolved(folder.study_file).space))


def _now() -> "datetime":
    from datetime import datetime

    return datetime.now().astimezone()


if __name__ == "__main__":
    sys.exit(main())
