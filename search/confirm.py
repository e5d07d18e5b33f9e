"""`python -m search.confirm`: are a study's best configurations really better than its baseline?"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli, work

if TYPE_CHECKING:
    from search.engine.grants import Grant
    from search.study.space import StudyConfig
    from search.view.live import View


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.confirm",
        "Train a study's best configurations and its baseline on the same fresh seeds, compare\n"
        "them in pairs, and choose the winner that is retrained. The same command again goes on\n"
        "where it was interrupted. What is not said is taken from the study file.",
        "python -m search.confirm --study results/demo --top 3 --seeds 11 12 13",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--top", type=int, metavar="N", help="best configurations to compare with the baseline")
    add("--seeds", type=int, nargs="+", metavar="N", help="at least two, one run each")
    add("--epochs", type=int, metavar="N", help="of each run")
    work.add_options(parser, labels=False)
    add_format(parser)
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.winner import winner

    folder = work.existing(arguments.study)
    with work.opened(folder.path, _read_config(folder.study_file, arguments), arguments) as study:
        if is_due(study):
            with work.watched(study) as view, work.workers(study) as granted:
                confirm(study, granted, view)
        else:
            winner(folder, study.ledger)  # without a complete trial nothing can be told
            cli.note(f"{folder.path}: done already")
        work.show(study)


def _read_config(path: Path, arguments: Namespace) -> "StudyConfig":
    """Return the study's settings; where its file leaves the stage out, the command means it."""
    from search.study.space import ConfirmConfig, load_resolved
    from seresnet.errors import ConfigError

    flags = {
        "confirm.top": arguments.top,
        "confirm.seeds": arguments.seeds,
        "confirm.epochs": arguments.epochs,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    if arguments.top == 0:
        raise ConfigError("--top: must be >= 1, got 0", "say how many to compare, as in --top 3")
    config = load_resolved(path, given)
    if config.confirm.top == 0:
        config = load_resolved(path, {**given, "confirm.top": ConfirmConfig().top})
    return config


def is_due(study: work.Work) -> bool:
    """Return whether the study file asks for a confirmation that is missing or stale."""
    from search.study.records import incumbent
    from search.study.winner import confirmation_of

    ledger = study.ledger
    if not ledger.config.confirm.top or incumbent(ledger.trials) is None:
        return False
    return confirmation_of(study.folder, ledger) is None


def confirm(study: work.Work, granted: "Grant", view: "View") -> None:
    """Compare the best configurations with the baseline, and keep who won."""
    from search.engine.confirming import confirm_top
    from search.view.told import Told

    if study.folder.confirmation.exists():
        cli.note("confirm.json is stale, of an earlier state of the study: it is made anew")
    told = Told(view, "confirm", granted.slots)
    confirm_top(study.folder, study.ledger, study.dataset, granted, told)


if __name__ == "__main__":
    sys.exit(main())
