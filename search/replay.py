"""`python -m search.replay`: derive a study's every suggestion and stop again, and compare."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from search.study.folder import StudyFolder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.replay",
        "Derive every suggestion and every decision of a study again, from its settings and the\n"
        "order of its events, and compare. With --rungs: what those would have done to the\n"
        "recorded trials, and whether the best would have come to its end. Reads only; trains\n"
        "nothing, starts no Ray.",
        "python -m search.replay --study results/demo",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--storage", metavar="URL", help="of the study; default: study.db in its folder")
    add(
        "--rungs", metavar="RUNGS",
        help="what other rungs would have done: auto, none, or EPOCH,FACTOR such as 20,2",
    )  # fmt: skip
    return parser


def _body(arguments: Namespace) -> None:
    if arguments.rungs is None:
        _verify(arguments)
    else:
        _replay_with(arguments)


def _verify(arguments: Namespace) -> None:
    """Derive the study again and say whether it is the same."""
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


def _replay_with(arguments: Namespace) -> None:
    """Say what the whole curves tell of rungs, and what those asked for would have done."""
    from search.study.counterfactual import replay_with
    from search.study.folder import StudyFolder
    from search.study.policies import parse_rungs
    from search.study.space import load_resolved
    from search.view.counterfactual import describe_counterfactual

    policy = parse_rungs(arguments.rungs)
    folder = StudyFolder(arguments.study)
    is_in_order = not _has_tables_alone(folder, arguments.storage)
    if is_in_order:
        from search.study.snapshot import take_snapshot

        stored = take_snapshot(folder, arguments.storage)
        config, trials, order = stored.config, stored.trials, stored.order
    else:
        from search.results import read_records

        config = load_resolved(folder.study_file)
        trials = read_records(folder.path, list(config.space))
        order = [(trial.number, epoch) for trial in trials for epoch in sorted(trial.epochs)]
    found = replay_with(config, policy.applied(config), trials, order)
    cli.output(describe_counterfactual(found, trials, is_in_order=is_in_order))


def _has_tables_alone(folder: "StudyFolder", flag: str | None) -> bool:
    """Return whether a folder has a study's tables and no database, as published ones have."""
    from search.study.storage import locate

    is_own = locate(flag, folder.database).is_at(folder.database)
    tables = (folder.study_file, folder.path / "trials.csv", folder.path / "epochs.csv")
    return is_own and not folder.database.exists() and all(path.is_file() for path in tables)


if __name__ == "__main__":
    sys.exit(main())
