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
    from search.study.dataset import LabelledTest
    from search.view.live import View


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.retrain",
        "Retrain a study's winner to completion, once a seed, on all labelled images, look once\n"
        "at the test set where its labels are there, and write the submission. Who wins is\n"
        "confirmed first, where the study file asks for it. The same command again goes on where\n"
        "it was interrupted.",
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
    """Return whether the present winner is retrained, looked at, and its submission written."""
    from search.engine.delivery import unfinished_jobs
    from search.engine.submitting import Order, is_submitted

    if is_due(study) or unfinished_jobs(study.folder, study.ledger, study.dataset):
        return False
    if _to_look_at(study) is not None:
        return False
    if study.test is None:
        return True
    return is_submitted(study.folder, study.ledger, Order(study.test, study.folder.submission))


def deliver(study: work.Work, granted: "Grant", view: "View") -> None:
    """Retrain the winner with each seed, then label the test images with the first seed's model.

    Who wins is settled first, where the study file asks for that. The look at the labelled test
    set comes when nothing is left to choose: which model labels is a rule fixed beforehand.
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
    _look(study, shared)
    if study.test is None:
        cli.note("no competition test file in the data folder, so no submission: see --test")
    else:
        submit(study.folder, study.ledger, Order(study.test, study.folder.submission), shared)


def _to_look_at(study: work.Work) -> "tuple[list[Path], LabelledTest] | None":
    """Return the models nobody looked at the test set with, and its images; None if all is done."""
    from search.engine.looking import unseen_models
    from search.study.dataset import load_labelled_test

    models = unseen_models(study.folder, study.ledger)
    if not models:
        return None
    test = load_labelled_test(study.ledger.config.data, study.arguments.data)
    return None if test is None else (models, test)


def _look(study: work.Work, granted: "Grant") -> None:
    """Look at the labelled test set, where it is there, once with each retrained model."""
    from search.engine.looking import look
    from search.view.looks import describe_look

    wanted = _to_look_at(study)
    if wanted is not None:
        models, test = wanted
        cli.note(f"the only look at the test set, {len(test.images):,} images, is taken now")
        look(models, test, granted, lambda model, found: cli.note(describe_look(model, found)))


if __name__ == "__main__":
    sys.exit(main())
