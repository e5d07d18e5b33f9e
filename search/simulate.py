"""`python -m search.simulate`: a study in virtual time, on curves in place of training."""

import dataclasses
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from search import cli

if TYPE_CHECKING:
    from search.engine.comparison import Row
    from search.study.space import StudyConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(_body, _parser(), argv)


def _parser() -> ArgumentParser:
    parser = cli.make_parser(
        "search.simulate",
        "Run a study in virtual time, its own sampler and rungs on known curves in place of\n"
        "training, and say how far its choice is from the best. Trains and writes nothing.",
        "python -m search.simulate --space search_spaces/reg.yaml --policy study tpe+none\n\n"
        "curves:\n"
        "  crossing-none, crossing-mild, crossing-strong  regularisers; how much curves cross\n"
        "  hartmann-good, hartmann-bad                    MFHartmann6; do early epochs tell\n"
        "  results/NAME/epochs.csv                        what a study has recorded\n"
        "policies, parts joined by +:\n"
        "  study               as the study file says\n"
        "  tpe gp random qmc   this sampler\n"
        "  none                nobody is stopped early\n"
        "  auto                the first rung that whole curves of the study allow; auto:15,2\n"
        "  asha:20,2           first rung at epoch 20, one in 2 goes on; 25%,2: at a quarter\n"
        "  x2                  twice the others' budget",
    )
    add = parser.add_argument
    add("--space", type=Path, required=True, metavar="FILE", help="the study file")
    add("--curves", nargs="+", default=["crossing-mild"], help="default: crossing-mild")
    add("--policy", nargs="+", default=["study"], metavar="POLICY", help="default: study")
    add("--workers", nargs="+", type=int, default=[4], metavar="W", help="at once; default: 4")
    add("--seeds", type=int, default=20, metavar="N", help="searches a row; default: 20")
    add("--num-trials", type=int, metavar="N", help="of a search; default: the study file's")
    add(
        "--budget", type=int, metavar="E",
        help="epochs of a search at most, with as many trials as they pay for whole; default: the\n"
        "study's own limits, with several policies half of num_trials x max_epochs",
    )  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _body(arguments: Namespace) -> None:
    from search.engine.comparison import compare
    from search.engine.recorded import named_curves
    from search.study.policies import parse_policy
    from search.study.space import load_study
    from search.view.bar import progress_bar
    from seresnet.errors import ConfigError

    _refuse_numbers(arguments)
    overrides = {} if arguments.num_trials is None else {"study.num_trials": arguments.num_trials}
    config = load_study(arguments.space, overrides)
    policies = [parse_policy(text) for text in arguments.policy]
    budget = arguments.budget
    least = (1 + len(config.recipes)) * config.study.max_epochs
    if budget is None and len(policies) > 1:
        budget = max(least, config.study.num_trials * config.study.max_epochs // 2)
    if budget is not None and budget < least:
        rule = f"must be >= {least}, baseline and recipes whole"
        raise ConfigError(f"--budget: {rule}, got {budget}", "give --budget a larger number")
    with progress_bar("simulating") as advance:
        rows = compare(
            config,
            {name: named_curves(name, config) for name in arguments.curves},
            policies,
            workers=arguments.workers,
            num_seeds=arguments.seeds,
            max_total_epochs=budget,
            observe=advance,
        )
    cli.output(_as_json(rows, budget) if arguments.json else _as_table(rows, budget, config))


def _refuse_numbers(arguments: Namespace) -> None:
    """Refuse numbers that leave nothing to be simulated.

    Raises:
        ConfigError: the flag and its least value are named.
    """
    from seresnet.errors import ConfigError

    given = [("--seeds", arguments.seeds)]
    for flag, value in [*given, *(("--workers", number) for number in arguments.workers)]:
        if value < 1:
            raise ConfigError(f"{flag}: must be >= 1, got {value}", f"give {flag} a larger number")


def _as_json(rows: "Sequence[Row]", budget: int | None) -> str:
    content = {"max_total_epochs": budget, "rows": [dataclasses.asdict(row) for row in rows]}
    return json.dumps(content, indent=2, allow_nan=False)


def _as_table(rows: "Sequence[Row]", budget: int | None, config: "StudyConfig") -> str:
    """Return the rows below each other; regrets in points of accuracy."""
    from search.view.table import aligned

    titles = (
        "curves", "policy", "workers", "regret", "+-", "tried", "best kept", "epochs", "trials",
        "complete", "stopped", "time", "busy",
    )  # fmt: skip
    own = f"{config.study.num_trials} trials"
    if config.study.max_total_epochs != "none":
        own = f"at most {own} and {config.study.max_total_epochs} epochs"
    limit = own if budget is None else f"at most {budget} epochs"
    last = (
        f"means over {rows[0].seeds} seeds of {limit} each; regret: points of accuracy (with its "
        "standard error) that the chosen setting lacks to the best there is, tried: that the best "
        "trial lacks; time: 1 is an epoch"
    )
    return "\n".join([*aligned([titles, *(_cells(row) for row in rows)]), last])


def _cells(row: "Row") -> list[str]:
    error = row.regret_error
    return [
        row.curves,
        row.policy,
        str(row.workers),
        f"{100 * row.regret:.2f}",
        "-" if error is None else f"{100 * error:.2f}",
        f"{100 * row.regret_of_tried:.2f}",
        f"{row.best_survived:.0%}",
        f"{row.epochs:.0f}",
        f"{row.trials:.1f}",
        f"{row.complete:.1f}",
        f"{row.stopped:.1f}",
        f"{row.duration:.0f}",
        f"{row.utilisation:.0%}",
    ]


if __name__ == "__main__":
    sys.exit(main())
