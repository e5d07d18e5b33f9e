"""`python -m search.retrain`: retrain a study's winner to completion and write the submission."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from search.engine.cluster import Grant
    from search.engine.retraining import Job
    from search.study.dataset import Dataset
    from search.study.folder import StudyFolder
    from search.study.ledger import Ledger
    from search.study.space import StudyConfig
    from search.view.live import View
    from seresnet.data import Unlabelled
    from seresnet.epoch import EpochResult


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.retrain",
        "Retrain a study's best configuration to completion, once a seed, on all labelled images,\n"
        "and write the submission. The same command again goes on where it was interrupted.",
        "python -m search.retrain --study results/demo",
    )
    parser.add_argument("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    cli.add_data_options(parser)
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.folder import StudyFolder, opened
    from search.study.space import load_study
    from seresnet.errors import DataError

    folder = StudyFolder(arguments.study)
    if not folder.database.is_file():
        raise DataError(f"{folder.path}: holds no study", "name a folder such as results/demo")
    config = load_study(folder.study_file)
    images = read_images(config, arguments)
    with opened(folder, config, images.dataset.report) as ledger:
        if is_delivered(folder, ledger, images):
            cli.note(f"{folder.path}: done already")
        else:
            with at_work(folder, ledger, images, arguments) as (granted, view):
                deliver(folder, ledger, images, granted, view)
        show(folder, ledger)


@dataclass(frozen=True, slots=True)
class Images:
    """What a command works on."""

    dataset: "Dataset"
    test: "Unlabelled | None"


def read_images(config: "StudyConfig", arguments: Namespace) -> Images:
    """Return a study's images, fetched before if `--download` says so."""
    from search.study.dataset import load_dataset, load_test_images

    if arguments.download and config.data.source == "cifar10":
        from seresnet.download import download

        download(arguments.data)
    dataset = load_dataset(config.data, arguments.data)
    return Images(dataset, load_test_images(config.data, arguments.data, arguments.test))


def is_delivered(folder: "StudyFolder", ledger: "Ledger", images: Images) -> bool:
    """Return whether the present winner is retrained and its submission written."""
    from search.engine.delivery import is_submitted, unfinished_jobs

    if unfinished_jobs(folder, ledger, images.dataset):
        return False
    return images.test is None or is_submitted(folder, ledger, images.test)


@contextmanager
def at_work(
    folder: "StudyFolder", ledger: "Ledger", images: Images, arguments: Namespace
) -> Iterator[tuple["Grant", "View"]]:
    """Record this start, then hold Ray and the view open; yield what each trial is granted."""
    from search.engine.cluster import session, usable_grant
    from search.study.provenance import record_start
    from search.view.live import watch

    record_start(folder.provenance, ledger, images.dataset.report, arguments.command)
    with session(address=arguments.address, verbose=arguments.verbose), watch(ledger) as view:
        yield usable_grant(ledger.config.resources), view


def deliver(
    folder: "StudyFolder", ledger: "Ledger", images: Images, granted: "Grant", view: "View"
) -> None:
    """Retrain the winner with each seed, then label the test images with the first seed's model."""
    from search.engine.cluster import widen
    from search.engine.delivery import retrain_winner, submit

    def observe(job: "Job", result: "EpochResult") -> None:
        view.retrained(job.folder.name, result, job.config.epochs)

    shared = widen(granted, len(ledger.config.retrain.seeds))
    retrain_winner(folder, ledger, images.dataset, shared, observe)
    if images.test is None:
        cli.note("no competition test file in the data folder, so no submission: see --test")
    else:
        submit(folder, ledger, images.test, shared)


def show(folder: "StudyFolder", ledger: "Ledger") -> None:
    """Print the best trials and the paths of what was made."""
    from search.view.summary import describe_study

    cli.output(describe_study(ledger))
    for path in folder.products():
        cli.output(str(path))


if __name__ == "__main__":
    sys.exit(main())
