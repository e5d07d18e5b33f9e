"""`python -m search.retrain`: retrain a study's winner to completion and write the submission."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli, work
from search.confirm import confirm, is_due

if TYPE_CHECKING:
    from search.engine.grants import Grant
    from search.view.live import View


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.retrain",
        "Retrain a study's winner to completion, once a seed, on all labelled images, and write\n"
        "the submission. Who wins is confirmed first, where the study file asks for it. The same\n"
        "command again goes on where it was interrupted.",
        "python -m search.retrain --study results/demo",
    )
    parser.add_argument("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    work.add_options(parser)
    add_format(parser)
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.space import load_resolved

    folder = work.existing(arguments.study)
    with work.opened(folder.path, load_resolved(folder.study_file), arguments) as study:
        if is_delivered(study):
            cli.note(f"{folder.path}: done already")
        else:
            with work.watched(study) as view, work.workers(study) as granted:
                deliver(study, granted, view)
        work.show(study)


def is_delivered(study: work.Work) -> bool:
    """Return whether the present winner is retrained and its submission written."""
    from search.engine.delivery import unfinished_jobs
    from search.engine.submitting import Order, is_submitted

    if is_due(study) or unfinished_jobs(study.folder, study.ledger, study.dataset):
        return False
    if study.test is None:
        return True
    return is_submitted(study.folder, study.ledger, Order(study.test, study.folder.submission))


def deliver(study: work.Work, granted: "Grant", view: "View") -> None:
    """Retrain the winner with each seed, then label the test images with the first seed's model.

    Who wins is settled first, where the study file asks for that.
    """
    from search.engine.cluster import widen
    from search.engine.delivery import retrain_winner
    from search.engine.submitting import Order, submit
    from search.view.told import Told

    if is_due(study):
        confirm(study, granted, view)
    shared = widen(granted, len(study.ledger.config.retrain.seeds))
    told = Told(view, "retrain", shared.slots)
    retrain_winner(study.folder, study.ledger, study.dataset, shared, told)
    if study.test is None:
        cli.note("no competition test file in the data folder, so no submission: see --test")
    else:
        submit(study.folder, study.ledger, Order(study.test, study.folder.submission), shared)


if __name__ == "__main__":
    sys.exit(main())
