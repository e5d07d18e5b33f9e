"""Who is to be retrained, and what is known of it: the files of a study that hold good today."""

from search.study.ablation import Ablation
from search.study.confirmation import Confirmation, is_current, read_confirmation
from search.study.errors import UnfinishedError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.records import TrialRecord, incumbent
from search.study.sealed import read_sealed


def winner(folder: StudyFolder, ledger: Ledger) -> TrialRecord:
    """Return the trial to be retrained: the confirmation's winner, else the incumbent.

    A confirmation of another state of the study counts for nothing.

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
    confirmation = confirmation_of(folder, ledger)
    if confirmation is None:
        return best
    return next(trial for trial in ledger.trials if trial.id == confirmation.winner)


def confirmation_of(folder: StudyFolder, ledger: Ledger) -> Confirmation | None:
    """Return the study's confirmation, if there is one of its present state."""
    confirmation = read_confirmation(folder.confirmation)
    is_ours = confirmation is not None and is_current(confirmation, ledger)
    return confirmation if is_ours else None


def ablation_of(folder: StudyFolder, ledger: Ledger, best: TrialRecord) -> Ablation | None:
    """Return the ablation of the present winner, if there is one."""
    ablation = read_sealed(folder.ablation, Ablation)
    is_ours = ablation is not None and (ablation.study, ablation.trial) == (ledger.id, best.id)
    return ablation if is_ours else None
