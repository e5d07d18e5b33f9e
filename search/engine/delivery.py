"""From the winner to the submission: retrain it with each seed, label, check, write."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from typing import Any

from search.engine.grants import Grant
from search.engine.retraining import Job, label, retrain
from search.study.dataset import Dataset
from search.study.errors import DamagedStudyError, UnfinishedError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.records import TrialRecord, baseline_value, incumbent
from seresnet.data import Unlabelled
from seresnet.epoch import EpochResult
from seresnet.errors import DamagedError
from seresnet.files import sha256_of
from seresnet.run import holder, identity, is_finished, read_metrics
from seresnet.submission import write_submission

_log = logging.getLogger(__name__)


def winner(ledger: Ledger) -> TrialRecord:
    """Return the trial to be retrained.

    Raises:
        UnfinishedError: no trial is complete.
    """
    best = incumbent(ledger.trials)
    if best is None:
        kinds = sorted({t.error_kind for t in ledger.trials if t.error_kind})
        reason = f": {', '.join(kinds)}" if kinds else ""
        raise UnfinishedError(
            f"no trial of {len(ledger.trials)} is complete, so there is nothing to retrain{reason}",
            "see error_kind and error in trials.csv",
        )
    return best


def unfinished_jobs(folder: StudyFolder, ledger: Ledger, dataset: Dataset) -> list[Job]:
    """Return the trainings of the winner still to be done, one a seed of the study.

    Raises:
        UnfinishedError: no trial is complete.
    """
    best, settings = winner(ledger), ledger.config.retrain
    provenance: dict[str, object] = {
        "study": ledger.id,
        "trial": best.id,
        "val_accuracy_in_search": best.value,
        "baseline_val_accuracy": baseline_value(ledger.trials),
        "num_images": len(dataset.train) + len(dataset.val),
        "data": dataset.report,
    }
    labelled, jobs = dataset.labelled, []
    for seed in settings.seeds:
        config = ledger.config.trial_config(best.params, epochs=settings.epochs, seed=seed)
        path, owner = folder.retrain(seed).resolve(), identity(config, labelled, None)
        if not is_finished(path, owner):
            jobs.append(Job(config, path, owner, provenance))
    return jobs


def retrain_winner(
    folder: StudyFolder,
    ledger: Ledger,
    dataset: Dataset,
    granted: Grant,
    observe: Callable[[Job, EpochResult], object],
) -> None:
    """Retrain the winner with each seed of the study, on all labelled images.

    Raises:
        UnfinishedError: no trial is complete, or a training could not finish.
    """
    jobs = unfinished_jobs(folder, ledger, dataset)
    for job in jobs:
        # Out of the way first: a kill in the middle of a deletion leaves nothing that has a name.
        aside = job.folder.with_name(f".stale-{job.folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        if holder(job.folder) not in (None, job.owner):
            _log.warning("%s is stale, made with other settings: it is made anew", job.folder.name)
            job.folder.replace(aside)
            shutil.rmtree(aside)
    if jobs:
        retrain(jobs, dataset.labelled, granted, observe)


def submit(folder: StudyFolder, ledger: Ledger, test: Unlabelled, granted: Grant) -> None:
    """Write `submission.csv` from the model of the first seed: a rule fixed beforehand.

    Raises:
        DataError: a check of the submission failed.
        DamagedStudyError: the model is not the one that was trained.
    """
    best, seed = winner(ledger), ledger.config.retrain.seeds[0]
    model, metrics = folder.retrain(seed) / "model.pt", _first_metrics(folder, ledger)
    write_submission(
        label(model.resolve(), test.images, granted),
        test.ids,
        folder.submission,
        num_parameters=metrics["num_parameters"],
        run=ledger.id,
        provenance={
            "trial": best.id,
            "params": best.params,
            "val_accuracy_in_search": best.value,
            "retrain_seed": seed,
            "retrain_epochs": ledger.config.retrain.epochs,
            "model_sha256": metrics["model_sha256"],
            "test_sha256": _test_hash(test),
            "num_trials": len(ledger.trials),
        },
    )


def is_submitted(folder: StudyFolder, ledger: Ledger, test: Unlabelled) -> bool:
    """Return whether the submission is there, whole, and of the present winner and test images."""
    try:
        sidecar = json.loads(folder.submission.with_suffix(".json").read_text())
        metrics = _first_metrics(folder, ledger)
        return bool(
            sidecar["run"] == ledger.id
            and sidecar["trial"] == winner(ledger).id
            and sidecar["sha256"] == sha256_of(folder.submission)
            and sidecar["model_sha256"] == metrics["model_sha256"]
            and sidecar["test_sha256"] == _test_hash(test)
        )
    except (DamagedStudyError, OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def _first_metrics(folder: StudyFolder, ledger: Ledger) -> dict[str, Any]:
    """Return the metrics of the first seed's training, whose model is submitted.

    Raises:
        DamagedStudyError: that training is missing, or damaged.
    """
    try:
        return read_metrics(folder.retrain(ledger.config.retrain.seeds[0]))
    except DamagedError as error:
        raise DamagedStudyError(error.message, error.hint) from error


def _test_hash(test: Unlabelled) -> str:
    digest = hashlib.sha256(test.images.numpy().tobytes())
    digest.update(test.ids.numpy().tobytes())
    return digest.hexdigest()
