"""A trial at its end, opened again: Optuna has no way, so this reaches into its storages.

Both are its own insides; `tests/unit/search/study/test_reopening.py` and `tests/postgres/` hold
them to what is expected here.
"""

import copy
from collections.abc import Sequence

from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._rdb.models import TrialModel, TrialValueModel
from optuna.trial import TrialState
from sqlalchemy import delete, update

from search.study.transaction import one_transaction
from seresnet.failpoints import reach


def reopen(storage: BaseStorage, trial_ids: Sequence[int]) -> None:
    """Let trials run again, without value and time of their end; in a database all or none.

    A study object keeps a trial at its end as it saw it first: load the study anew afterwards.

    Args:
        storage: a database, or in memory.
        trial_ids: Optuna's, of trials at their end.
    """
    if isinstance(storage, RDBStorage):
        with one_transaction(storage):
            _reopen_rows(storage, trial_ids)
            reach("before-reopened")
    else:
        assert isinstance(storage, InMemoryStorage), storage
        for trial_id in trial_ids:
            reach("before-reopened")
            _reopen_in_memory(storage, trial_id)
    reach("after-reopened")


def _reopen_rows(storage: RDBStorage, trial_ids: Sequence[int]) -> None:
    session = storage.scoped_session()
    session.execute(delete(TrialValueModel).where(TrialValueModel.trial_id.in_(trial_ids)))
    rows = update(TrialModel).where(TrialModel.trial_id.in_(trial_ids))
    session.execute(rows.values(state=TrialState.RUNNING, _datetime_complete_utc=None))
    session.commit()


def _reopen_in_memory(storage: InMemoryStorage, trial_id: int) -> None:
    # Others may hold the old one: Optuna too replaces trials, and changes none.
    trial = copy.copy(storage.get_trial(trial_id))
    trial.state, trial.values, trial.datetime_complete = TrialState.RUNNING, None, None
    storage._set_trial(trial_id, trial)
