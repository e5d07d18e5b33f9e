"""Configurations on fresh seeds: trained on the study's training part, judged as its trials are."""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from search.engine.cluster import widen
from search.engine.grants import Grant
from search.engine.retraining import Job, Observer, clear_stale, train_jobs
from search.study.contest import Run
from search.study.dataset import Dataset
from search.study.errors import DamagedStudyError
from search.study.provenance import code_version
from seresnet.errors import DamagedError
from seresnet.files import write_text
from seresnet.run import identity_of, is_finished, read_metrics
from seresnet.splits import content_hash
from seresnet.train import DivergedError

_DIVERGED = "diverged.json"  # a run that diverges is at its end too, but leaves no model


def jobs_of(
    runs: Iterable[Run], folder: Path, dataset: Dataset, provenance: dict[str, object]
) -> list[Job]:
    """Return the training of each run, in a folder of its own under `folder`."""
    images = [content_hash(part) for part in (dataset.train, dataset.val)]
    facts = {**provenance, "data": dataset.report, **code_version()}
    return [
        Job(
            run.config,
            (folder / run.name).resolve(),
            identity_of(run.config, images),
            facts,
        )
        for run in runs
    ]


def carry_out(jobs: Sequence[Job], dataset: Dataset, granted: Grant, observer: Observer) -> None:
    """Train what is not yet trained; a run that diverges is noted, and the others go on.

    Raises:
        UnfinishedError: a worker died more than twice.
        DamagedStudyError: what a finished run left behind is damaged.
        MachineError: a run could not read or write its files.
    """
    unfinished = [job for job in jobs if not is_done(job)]
    observer.begins(jobs, unfinished)
    clear_stale(unfinished)
    if unfinished:
        # As for all of them: with more threads for the last ones an interruption would show.
        shared = widen(granted, len(jobs))
        train_jobs(
            unfinished, dataset.train, dataset.val, shared, observer, on_diverged=_note_divergence
        )


def is_done(job: Job) -> bool:
    """Return whether a run came to its end, whichever."""
    return is_finished(job.folder, job.owner) or bool(_divergence(job))


def outcome(job: Job) -> float | str:
    """Return the accuracy of a run that is done, or how it diverged.

    Raises:
        DamagedStudyError: a file of the run is not what was written.
    """
    if divergence := _divergence(job):
        return divergence
    return float(metrics_of(job)["val_accuracy"])  # type: ignore[arg-type]


def metrics_of(job: Job) -> dict[str, object]:
    """Return the metrics of a run that is done; nothing but the error of one that diverged.

    Raises:
        DamagedStudyError: a file of the run is not what was written.
    """
    if divergence := _divergence(job):
        return {"error": divergence}
    try:
        return read_metrics(job.folder)
    except DamagedError as error:
        raise DamagedStudyError(error.message, error.hint) from error


def _note_divergence(job: Job, error: DivergedError) -> None:
    content = {"owner": job.owner, "error": str(error)}
    write_text(job.folder / _DIVERGED, json.dumps(content, indent=2, allow_nan=False) + "\n")
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)


def _divergence(job: Job) -> str:
    """Return how a run diverged, or nothing."""
    try:
        content = json.loads((job.folder / _DIVERGED).read_bytes())
        return str(content["error"]) if content["owner"] == job.owner else ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""
