"""`python -m search.submit`: label a test file with a study's retrained winner."""

import json
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from search import cli, work


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.submit",
        "Label a test file with the first seed's model of a study's retrained winner, compare its\n"
        "labels with those of the other seeds' models, and write the competition's file, beside a\n"
        "JSON file that says what made it.",
        "python -m search.submit --study results/reg --test data/cifar_test_nolabel.pkl",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--test", type=Path, required=True, metavar="FILE", help="the images to label")
    add("--out", type=Path, metavar="FILE", help="default: submission-<test file>.csv in the study")
    add("--ensemble", action="store_true", help="let the models of all seeds label together")
    work.add_options(parser, labels=False)
    parser.set_defaults(labels=True)
    return parser


def _body(arguments: Namespace) -> None:
    from search.engine.delivery import unfinished_jobs
    from search.engine.submitting import Order, is_submitted, refuse_other, submit
    from search.study.space import load_resolved
    from search.study.winner import winner
    from search.view.submission import describe_submission
    from seresnet.errors import ConfigError, DataError

    folder = work.existing(arguments.study)
    config = load_resolved(folder.study_file)
    seeds = list(config.retrain.seeds)
    if arguments.ensemble and len(seeds) < 2:
        raise ConfigError(
            f"--ensemble: must have two retrained models at least, retrain.seeds is {seeds}",
            f"add seeds there, then run python -m search.retrain --study {folder.path}",
        )
    with work.opened(folder.path, config, arguments) as study:
        assert study.test is not None  # --test is required
        order = Order(study.test, _path(arguments), arguments.ensemble)
        if jobs := unfinished_jobs(study.folder, study.ledger, study.dataset):
            best = winner(study.folder, study.ledger).id
            names = ", ".join(job.folder.name for job in jobs)
            raise DataError(
                f"{folder.path}: the winner {best} is not retrained yet, or was changed: {names}",
                f"run python -m search.retrain --study {folder.path}",
            )
        if is_submitted(study.folder, study.ledger, order):
            cli.note(f"{order.path}: done already")
        else:
            refuse_other(study.ledger, order)
            with work.watched(study), work.workers(study) as granted:
                submit(study.folder, study.ledger, order, granted)
        cli.output(describe_submission(json.loads(order.path.with_suffix(".json").read_text())))
        cli.output(str(order.path))


def _path(arguments: Namespace) -> Path:
    """Return where the submission goes; named after the test file if it was not said."""
    if arguments.out is not None:
        path: Path = arguments.out
        return path if path.suffix == ".csv" else path.with_name(f"{path.name}.csv")
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", arguments.test.stem)
    suffix = "-ensemble" if arguments.ensemble else ""
    study: Path = arguments.study
    return study / f"submission-{stem}{suffix}.csv"


if __name__ == "__main__":
    sys.exit(main())
