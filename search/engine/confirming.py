"""The confirmation of a study: its runs, its table, its verdict."""

from search.engine.contest import carry_out, jobs_of, metrics_of, outcome
from search.engine.grants import Grant
from search.engine.retraining import Job, Observer
from search.results import write_runs
from search.study.confirmation import (
    Confirmation,
    conclude,
    read_confirmation,
    write_confirmation,
)
from search.study.contest import Run, planned, terms_of
from search.study.dataset import Dataset
from search.study.errors import UnfinishedError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger


def confirm_top(
    folder: StudyFolder, ledger: Ledger, dataset: Dataset, granted: Grant, observer: Observer
) -> Confirmation:
    """Compare the best configurations with the baseline as the study file says; write the tables.

    The last file written is `confirm.json`: its presence says that the confirmation is complete.

    Raises:
        UnfinishedError: every configuration diverged, or a worker died more than twice.
        DamagedStudyError: what a finished run left behind is damaged.
        MachineError: a run could not read or write its files.
    """
    terms = terms_of(ledger.config)
    runs = planned(ledger, terms)
    jobs = jobs_of(runs, folder.confirm, dataset, {"study": ledger.id, "purpose": "confirm"})
    carry_out(jobs, dataset, granted, observer)
    outcomes = {run.name: outcome(job) for run, job in zip(runs, jobs, strict=True)}
    diverged = {run.who for run in runs if isinstance(outcomes[run.name], str)}
    if diverged == {run.who for run in runs}:
        raise UnfinishedError(
            f"{folder.confirm}: every configuration diverged with one of the seeds",
            "see confirm/*/diverged.json; a lower lr, or other confirm.seeds, may do better",
        )
    confirmation = conclude(
        ledger,
        terms,
        outcomes,
        num_val=len(dataset.val),
        before=read_confirmation(folder.confirmation),
    )
    write_runs(folder.path / "confirm.csv", _rows(ledger, runs, jobs))
    write_confirmation(confirmation, folder.confirmation)
    return confirmation


def _rows(ledger: Ledger, runs: list[Run], jobs: list[Job]) -> list[dict[str, object]]:
    by_id = {trial.id: trial for trial in ledger.trials}
    return [
        {**metrics_of(job), "trial": run.who, "name": by_id[run.who].name, "seed": run.seed}
        for run, job in zip(runs, jobs, strict=True)
    ]
