"""The retraining of the winner with each seed."""

from collections.abc import Callable

from search.engine.grants import Grant
from search.engine.retraining import Job, clear_stale, train_jobs
from search.study.dataset import Dataset
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.provenance import code_version
from search.study.records import baseline_value
from search.study.winner import winner
from seresnet.epoch import EpochResult
from seresnet.run import holder, identity, is_finished


def unfinished_jobs(folder: StudyFolder, ledger: Ledger, dataset: Dataset) -> list[Job]:
    """Return the trainings of the winner still to be done, one a seed of the study.

    Raises:
        UnfinishedError: no trial is complete.
    """
    best, settings = winner(folder, ledger), ledger.config.retrain
    provenance: dict[str, object] = {
        "study": ledger.id,
        "trial": best.id,
        "val_accuracy_in_search": best.value,
        "baseline_val_accuracy": baseline_value(ledger.trials),
        "num_images": len(dataset.train) + len(dataset.val),
        "data": dataset.report,
        **code_version(),
    }
    labelled, jobs = dataset.labelled, []
    for seed in settings.seeds:
        config = ledger.config.retrain_config(best.params, seed=seed)
        path, owner = folder.retrain(seed).resolve(), identity(config, labelled, None)
        if not is_finished(path, owner):
            jobs.append(Job(config, path, owner, provenance))
    return jobs


def is_stale(folder: StudyFolder, ledger: Ledger, dataset: Dataset) -> bool:
    """Return whether something was retrained that is not the present winner.

    Raises:
        UnfinishedError: no trial is complete.
    """
    jobs = unfinished_jobs(folder, ledger, dataset)
    return any(holder(job.folder) not in (None, job.owner) for job in jobs)


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
    clear_stale(jobs)
    if jobs:
        train_jobs(jobs, dataset.labelled, None, granted, observe)
