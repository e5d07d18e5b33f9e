"""Ray Tune carries out what the ledger decides."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import ray.tune

from search.engine.adapters import LedgerScheduler, LedgerSearcher, Recovery
from search.engine.cluster import MAX_RETRIES
from search.engine.course import Course
from search.engine.grants import Grant
from search.study.errors import UnfinishedError
from search.study.records import trial_id
from search.study.storage import database_error
from seresnet.errors import UserError

_AGAIN = "run the same command again: it goes on from the last checkpoints"


class MemoryKillError(UnfinishedError):
    """A node ran out of memory and Ray killed a worker there, which ends Ray's run of the search.

    The study is as it was; with a new Ray session and fewer trials at once it goes on.
    """


def run_search(trainable: Callable[..., None], granted: Grant, course: Course) -> None:
    """Run the study's remaining trials; when this returns, each is at its end in the study.

    Ray's own state lives in a folder that is deleted at the end: a new start makes a new `Tuner`
    and takes up the trials that were running, from their own checkpoints.

    Args:
        trainable: a Tune function that takes a trial's configuration and reports messages.
        granted: resources of a trial, and how many run at once.
        course: of the command; its ledger decides, a signal to it lets running epochs end.

    Raises:
        KeyboardInterrupt: a signal asked for it.
        UnfinishedError: too many trials failed, or Ray stopped before the study was at its end.
        MemoryKillError: a node ran out of memory.
        MachineError: a worker could not read or write its files.
    """
    ledger = course.ledger
    # Tune counts a trial that was handed back as one of its own, and may end with others unasked.
    for _ in range(MAX_RETRIES + 1):
        ledger.take_back()
        if ledger.num_remaining and not course.is_ending:
            _fit(trainable, granted, course)
    course.raise_if_ended()
    if ledger.num_remaining:
        raise UnfinishedError(
            f"{ledger.num_remaining} trials are not at their end, though Ray has stopped", _AGAIN
        )


def _fit(trainable: Callable[..., None], granted: Grant, course: Course) -> None:
    """Run Tune once, in a folder that is deleted at the end."""
    stop = course.stop
    with (
        tempfile.TemporaryDirectory(prefix="search-ray-", ignore_cleanup_errors=True) as scratch,
        redirect_stdout(sys.stderr),
        stop.awaited(),
    ):
        try:
            _tuner(trainable, granted, scratch, course).fit()
        except (RuntimeError, ray.tune.TuneError) as error:
            # A memory kill raises out of `fit`, and Tune wraps what the ledger raised in it.
            if not stop.is_set:
                raise _cause(error) from error


def _cause(error: BaseException) -> BaseException:
    """Return the error below Ray's that says what to do, else one that says how to go on."""
    for link in _chain(error):
        if isinstance(link, ray.exceptions.OutOfMemoryError):
            return MemoryKillError(f"a node ran out of memory: {_line(link)}", _AGAIN)
        if isinstance(link, UserError | OSError):
            return link
    # What a database complains of is put into words by those who opened it.
    return database_error(error) or UnfinishedError(f"Ray stopped: {_line(error)}", _AGAIN)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _tuner(
    trainable: Callable[..., None], granted: Grant, scratch: str, course: Course
) -> ray.tune.Tuner:
    ledger = course.ledger
    resources: dict[str, Any] = {"cpu": granted.cpus, "gpu": granted.gpus}
    return ray.tune.Tuner(
        ray.tune.with_resources(trainable, resources),
        tune_config=ray.tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            search_alg=LedgerSearcher(course),
            scheduler=LedgerScheduler(course),
            num_samples=ledger.num_open,  # whatever becomes payable when others are stopped early
            max_concurrent_trials=granted.slots,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial_id(trial.config["number"]),
        ),
        run_config=ray.tune.RunConfig(
            name="search",
            storage_path=scratch,
            verbose=0,
            callbacks=[Recovery(course)],
            failure_config=ray.tune.FailureConfig(max_failures=MAX_RETRIES),
        ),
    )
