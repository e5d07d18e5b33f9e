"""`python -m search.tune`: search, retrain the winner, write the submission."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli, plan, work
from search.view import followers

if TYPE_CHECKING:
    from search.engine.course import Course
    from search.engine.grants import Grant
    from search.study.ledger import Ledger
    from search.study.space import StudyConfig
    from search.view.live import View

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    from search.view.formats import add_format

    parser = cli.make_parser(
        "search.tune",
        "Search the hyperparameters of a study file, confirm the best against the baseline,\n"
        "retrain the winner to completion, write the submission. The same command again goes on\n"
        "where it was interrupted.",
        "python -m search.tune --space search_spaces/demo.yaml",
    )
    add = parser.add_argument
    add("--space", type=Path, required=True, metavar="FILE", help="the study file")
    add("--name", help="of the study folder; default: the study file's stem")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    add("--num-trials", type=int, metavar="N", help="in all; more than before extends the study")
    add("--max-total-epochs", type=int, metavar="N", help="of all trials together, kept exactly")
    add("--max-hours", type=float, metavar="H", help="of the search, all starts together")
    add("--max-concurrent", type=int, metavar="N", help="trials at once; default: as many as fit")
    add("--gpus-per-trial", type=float, metavar="F", help="0 to 1; default: measured")
    add("--seed", type=int, metavar="N", help="of the study")
    add("--no-retrain", action="store_true", help="stop after the search")
    plan.add_options(parser)
    followers.add_options(parser)
    work.add_options(parser)
    add_format(parser)
    return parser


def _body(arguments: Namespace) -> None:
    from search.study.names import check_name
    from search.study.space import load_study

    plan.refuse_flags(arguments)
    followers.refuse_flags(arguments)
    flags = {
        "study.num_trials": arguments.num_trials,
        "study.max_total_epochs": arguments.max_total_epochs,
        "study.max_hours": arguments.max_hours,
        "study.seed": arguments.seed,
        "resources.max_concurrent": arguments.max_concurrent,
        "resources.gpus_per_trial": arguments.gpus_per_trial,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    config = load_study(arguments.space, given)
    name = check_name(arguments.space.stem if arguments.name is None else arguments.name)
    if arguments.dry_run:
        plan.show(config, arguments.results / name, arguments)
    else:
        _tune(arguments, config, arguments.results / name)


def _tune(arguments: Namespace, config: "StudyConfig", path: Path) -> None:
    """Search and deliver, as far as that is still to be done."""
    from search.results import write_tables
    from search.retrain import is_delivered
    from search.study.progress import describe_budget
    from search.study.winner import winner

    with work.opened(path, config, arguments) as study:
        ledger, folder, wanted = study.ledger, study.folder, not arguments.no_retrain
        if ledger.num_remaining == 0 and (not wanted or _waits(ledger) or is_delivered(study)):
            write_tables(ledger.trials, path)
            with followers.opened(arguments, folder, ledger):
                pass  # they are told what they lack
            folder.clear_checkpoints(ledger.trials)
            more = describe_budget(ledger) or "to search on, give a larger --num-trials"
            cli.note(f"{path}: done already; {more}")
        else:
            with work.watched(study) as view:
                _search_and_deliver(study, view)
        if not _waits(ledger):
            winner(folder, ledger)  # without a completed trial there is no success to be told
        work.show(study)


def _waits(ledger: "Ledger") -> bool:
    """Return whether the budget ended before any trial: nothing failed, none can be retrained."""
    from search.study.records import incumbent

    is_paused = any(trial.is_paused for trial in ledger.trials)
    return is_paused and not ledger.num_remaining and incumbent(ledger.trials) is None


def _search_and_deliver(study: work.Work, view: "View") -> None:
    """Search, then deliver; after a memory kill, with a new Ray and fewer trials at once."""
    from search.engine.course import Course
    from search.engine.memory import MemoryKills
    from search.engine.tuning import MemoryKillError
    from search.retrain import deliver

    course = Course(study.ledger, study.stop)
    kills, slots_at_most = MemoryKills(course), None
    while True:
        with work.workers(study, slots_at_most=slots_at_most) as granted:
            try:
                _search(study, granted, view, course)
            except MemoryKillError as kill:
                slots_at_most = kills.next_slots(granted.slots)
                _log.warning("%s; going on with %d at once", kill.message, slots_at_most)
                course.raise_if_ended()
            else:
                if not study.arguments.no_retrain and not _waits(study.ledger):
                    deliver(study, granted, view)
                return


def _search(study: work.Work, granted: "Grant", view: "View", course: "Course") -> None:
    """Run the trials; the tables follow them, and are whole whatever happens."""
    from search.engine.trial import trainable
    from search.engine.tuning import run_search

    folder, ledger = study.folder, study.ledger
    function = trainable(ledger.config, folder.checkpoints, study.dataset, granted.mps_pipe)
    with (
        followers.opened(study.arguments, folder, ledger) as others,
        work.followed(folder, ledger, study.backups, view, *others),
    ):
        run_search(function, granted, course)


if __name__ == "__main__":
    sys.exit(main())
