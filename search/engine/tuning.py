"""Ray Tune carries out what the ledger decides."""

import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import ray.tune

from search.engine.adapters import AttemptCounter, LedgerScheduler, LedgerSearcher
from search.engine.cluster import MAX_RETRIES, Grant
from search.study.errors import UnfinishedError
from search.study.ledger import Ledger
from search.study.records import trial_id
from seresnet.errors import UserError


def run_search(ledger: Ledger, trainable: Callable[..., None], granted: Grant) -> None:
    """Run the study's remaining trials; when this returns, each is at its end in the study.

    Ray's own state lives in a folder that is deleted at the end: a new start makes a new `Tuner`
    and takes up the trials that were running, from their own checkpoints.

    Args:
        ledger: decides; is told of everything.
        trainable: a Tune function that takes a trial's configuration and reports messages.
        granted: resources of a trial, and how many run at once.

    Raises:
        UnfinishedError: Ray stopped before the study was at its end.
    """
    if ledger.num_remaining == 0:
        return
    with tempfile.TemporaryDirectory(prefix="search-ray-") as scratch, redirect_stdout(sys.stderr):
        try:
            _tuner(ledger, trainable, granted, scratch).fit()
        except (RuntimeError, ray.tune.TuneError) as error:
            # A memory kill raises out of `fit`, and Tune wraps what the ledger raised in it.
            raise _cause(error) from error
    if ledger.num_remaining:
        raise UnfinishedError(
            f"{ledger.num_remaining} trials are not at their end, though Ray has stopped",
            "run the same command again: it goes on from the last checkpoints",
        )


def _cause(error: BaseException) -> Exception:
    """Return the error below Ray's that says what to do, else one that says how to go on."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, UserError | OSError):
            return link
        link = link.__cause__ or link.__context__
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    hint = "run the same command again: it goes on from the last checkpoints"
    return UnfinishedError(f"Ray stopped: {reason}", hint)


def _tuner(
    ledger: Ledger, trainable: Callable[..., None], granted: Grant, scratch: str
) -> ray.tune.Tuner:
    resources: dict[str, Any] = {"cpu": granted.cpus, "gpu": granted.gpus}
    return ray.tune.Tuner(
        ray.tune.with_resources(trainable, resources),
        tune_config=ray.tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            search_alg=LedgerSearcher(ledger),
            scheduler=LedgerScheduler(ledger),
            num_samples=ledger.num_remaining,
            max_concurrent_trials=granted.slots,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial_id(trial.config["number"]),
        ),
        run_config=ray.tune.RunConfig(
            name="search",
            storage_path=scratch,
            verbose=0,
            callbacks=[AttemptCounter(ledger)],
            failure_config=ray.tune.FailureConfig(max_failures=MAX_RETRIES),
        ),
    )
