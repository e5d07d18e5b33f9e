"""`python -m search.ablate`: which settings of a study's winner are needed?"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli, work
from search.confirm import confirm, is_due

if TYPE_CHECKING:
    from search.engine.ablating import Plan
    from search.engine.grants import Grant
    from search.study.space import StudyConfig
    from search.view.live import View


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.ablate",
        "Train a study's winner with each hyperparameter back at its baseline value, on the same\n"
        "seeds, then without all that is not needed. Who wins is confirmed first, where the study\n"
        "file asks for it. The same command again goes on where it was interrupted.",
        "python -m search.ablate --study results/demo",
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, metavar="DIR", help="a study folder")
    add("--epochs", type=int, metavar="N", help="of each run; default: those of the confirmation")
    add("--seeds", type=int, nargs="+", metavar="N", help="at least two; default: likewise")
    work.add_options(parser, labels=False)
    add_format(parser)
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.space import load_resolved

    folder = work.existing(arguments.study)
    config = load_resolved(folder.study_file)
    _check(config, arguments)
    with work.opened(folder.path, config, arguments) as study:
        if is_due(study) or not _is_done(study):
            with work.watched(study) as view, work.workers(study) as granted:
                if is_due(study):
                    confirm(study, granted, view)
                if not _is_done(study):
                    _ablate(study, granted, view)
        else:
            cli.note(f"{folder.path}: done already")
        if not _differs(study):
            cli.note("the winner is the baseline: there is nothing to put back")
        work.show(study)


def _check(config: "StudyConfig", arguments: Namespace) -> None:
    """Refuse seeds or a schedule that the study file would refuse for a confirmation.

    Raises:
        ConfigError: the flag is named.
    """
    from search.study.space import ConfirmConfig, longest_warmup
    from seresnet.errors import ConfigError

    hint = "see search/study/sections.py for ranges"
    given = {"epochs": arguments.epochs, "seeds": arguments.seeds and tuple(arguments.seeds)}
    try:
        ConfirmConfig(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        lines = [f"--{line}" for line in str(error).splitlines()]
        raise ConfigError("\n".join(lines), hint) from error
    key, longest = longest_warmup(config)
    if arguments.epochs is not None and arguments.epochs <= longest:
        rule = f"must be > {longest:g}, the longest warm-up ({key})"
        raise ConfigError(f"--epochs: {rule}, got {arguments.epochs}", "give it more epochs")


def _plan(study: work.Work) -> "Plan":
    """Return how the present winner is taken apart: as it was confirmed, but for the flags."""
    from search.engine.ablating import Plan
    from search.study.contest import terms_of
    from search.study.winner import confirmation_of, winner

    arguments, confirmation = study.arguments, confirmation_of(study.folder, study.ledger)
    terms = confirmation.terms if confirmation else terms_of(study.ledger.config)
    return Plan(
        winner(study.folder, study.ledger),
        tuple(arguments.seeds or terms.seeds),
        arguments.epochs or terms.epochs,
    )


def _differs(study: work.Work) -> bool:
    """Return whether the winner has any setting that is not the baseline's."""
    return _plan(study).winner.params != study.ledger.trials[0].params


def _is_done(study: work.Work) -> bool:
    """Return whether there is nothing to be trained: all was, or the winner is the baseline."""
    from search.study.winner import ablation_of

    plan = _plan(study)
    ablation = ablation_of(study.folder, study.ledger, plan.winner)
    wanted = (plan.seeds, plan.epochs)
    is_made = ablation is not None and (ablation.seeds, ablation.epochs) == wanted
    return is_made or not _differs(study)


def _ablate(study: work.Work, granted: "Grant", view: "View") -> None:
    from search.engine.ablating import ablate_winner
    from search.view.told import Told

    plan = _plan(study)
    told = Told(view, "ablate", granted.slots)
    ablate_winner(study.folder, study.ledger, study.dataset, plan, granted, told)


if __name__ == "__main__":
    sys.exit(main())
