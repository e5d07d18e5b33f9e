"""Whom a search shows its trials, beside its own view: TensorBoard and MLflow, where asked for.

Each has a file of its own here, which is imported with its flag alone. What they are told is
derived from the study, so a start tells them what they lack, and nothing twice.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from search.study.folder import StudyFolder
    from search.study.ledger import Ledger
    from search.study.records import TrialRecord

METRICS = (
    "val_accuracy", "val_accuracy_raw", "val_loss", "train_loss", "lr", "images_per_second",
)  # fmt: skip
"""What others are told of an epoch, as the columns of `epochs.csv`."""


class Follower(Protocol):
    """Who is shown a study while it runs; called from the driver's thread alone."""

    def trial_changed(self, trial: "TrialRecord") -> None:
        """Take note of a trial's epoch or end, which the study holds by now."""


@dataclass(frozen=True, slots=True)
class Point:
    """What others are told of one epoch."""

    epoch: int
    """From 1."""
    at: float
    """Seconds since 1970: the trial's begin, and what its epochs took; so pauses do not count, and
    every start tells the same."""
    values: Mapping[str, float]
    """By name, those of METRICS that the trial tells."""


def points(trial: "TrialRecord") -> list[Point]:
    """Return a trial's epochs, in their order."""
    results = [trial.epochs[epoch] for epoch in sorted(trial.epochs)]
    moments = accumulate((each.seconds for each in results), initial=begin_of(trial))
    next(moments)
    told = [{name: getattr(each, name) for name in METRICS} for each in results]
    known = [{name: value for name, value in row.items() if value is not None} for row in told]
    return [Point(r.epoch, at, row) for r, at, row in zip(results, moments, known, strict=True)]


def begin_of(trial: "TrialRecord") -> float:
    """Return when a trial was suggested, in seconds since 1970."""
    assert trial.began is not None, trial.id  # it comes from a study, not from a table
    return trial.began.timestamp()


def add_options(parser: ArgumentParser) -> None:
    """Add the options of those who may follow a search."""
    add = parser.add_argument
    add("--tensorboard", action="store_true", help="write event files into the study folder")
    add("--mlflow", metavar="URI", help="keep a run a trial there, such as sqlite:///mlruns.db")


def refuse_flags(arguments: Namespace) -> None:
    """Refuse a follower that is not installed or cannot be reached by any means.

    Raises:
        ConfigError: the flag is named.
    """
    from seresnet.errors import ConfigError

    name = "tensorboard"
    try:
        if arguments.tensorboard:
            import search.view.event_files
        name = "mlflow"
        if arguments.mlflow is not None:
            import search.view.mlflow_runs

            search.view.mlflow_runs.refuse_uri(arguments.mlflow)
    except ImportError as error:
        raise ConfigError(
            f"--{name}: what it needs is not installed: {error}", f'pip install -e ".[{name}]"'
        ) from error


@contextmanager
def opened(
    arguments: Namespace, folder: "StudyFolder", ledger: "Ledger"
) -> Iterator[list[Follower]]:
    """Yield those who were asked for; each has been told, or is being told, all that is stored.

    Args:
        arguments: with the options of `add_options`.
        folder: of the study; its name is the experiment's.
        ledger: the study.
    """
    with ExitStack() as stack:
        followers: list[Follower] = []
        if arguments.tensorboard:
            from search.view.event_files import EventFiles

            followers.append(EventFiles(folder.tensorboard, ledger.config.space, ledger.trials))
        if arguments.mlflow is not None:
            from search.view.background import in_background
            from search.view.mlflow_runs import REFUSALS, MlflowRuns

            uri, name = arguments.mlflow, folder.path.resolve().name
            make = partial(MlflowRuns, uri, name, ledger.id)
            told = in_background(make, ledger.trials, REFUSALS, f"--mlflow {uri}")
            followers.append(stack.enter_context(told))
        yield followers
