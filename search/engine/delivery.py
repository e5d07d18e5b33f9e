"""The retraining of the winner with each seed."""

from search.engine.grants import Grant
from search.engine.retraining import Job, Observer, clear_stale, train_jobs
from search.study.dataset import Dataset
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.provenance import code_version
from search.study.records import baseline_value
from search.study.winner import winner
from seresnet.run import holder, identity_of, is_finished


def jobs_of(folder: StudyFolder, ledger: Ledger, dataset: Dataset) -> list[Job]:
    """Return the trainings of the winner, one a seed of the study.

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
    jobs = []
    for seed in settings.seeds:
        config = ledger.config.retrain_config(best.params, seed=seed)
        owner = identity_of(config, [dataset.labelled_sha256])
        jobs.append(Job(config, folder.retrain(seed).resolve(), owner, provenance))
    return jobs


def unfinished_jobs(folder: StudyFolder, ledger: Ledger, dataset: Dataset) -> list[Job]:
    """Return the trainings of the winner still to be done.

    Raises:
        UnfinishedError: no trial is complete.
    """
    return _unfinished(jobs_of(folder, ledger, dataset))


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
    observer: Observer,
) -> None:
    """Retrain the winner with each seed of the study, on all labelled images.

    Raises:
        UnfinishedError: no trial is complete, or a training could not finish.
    """
    jobs = jobs_of(folder, ledger, dataset)
    unfinished = _unfinished(jobs)
    observer.begins(jobs, unfinished)
    clear_stale(unfinished)
    if unfinished:
        train_jobs(unfinished, dataset.labelled, None, granted, observer)


def _unfinished(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if not is_finished(job.folder, job.owner)]
