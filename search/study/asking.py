"""How a new trial comes about: given settings or the sampler's, sealed with its seed."""

import optuna
from optuna.storages import BaseStorage

from search.study.entries import Entries
from search.study.events import ASK
from search.study.records import TrialRecord
from search.study.rules import Rules
from search.study.samplers import distributions, enqueue, finish_asking, hashed_seed, make_sampler
from search.study.space import StudyConfig
from search.study.transaction import one_transaction
from seresnet.failpoints import reach


class Asker:
    """Suggests trials: each a function of (seed, trial number, history).

    Args:
        storage: of the study.
        study: to be asked.
        entries: where suggestions are written.
        config: settings of the study.
        rules: that say which trials are given.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: optuna.Study,
        entries: Entries,
        config: StudyConfig,
        rules: Rules,
    ) -> None:
        self._storage = storage
        self._study = study
        self._entries = entries
        self._config = config
        self._rules = rules

    def ask(self, number: int) -> TrialRecord:
        """Return a new trial, stored; its number is the next."""
        record = TrialRecord(number=number, params={})
        self._set_sampler(number)
        with one_transaction(self._storage):
            enqueue(self._study, self._rules.given(number))
            self._entries.hold(number, self._study.ask(distributions(self._config)))
            reach("in-ask", str(number))
            self._seal(record)
            self._entries.set(number, "attempts", 1)
        record.attempts = 1
        self._entries.num_events += 1
        return record

    def complete(self, record: TrialRecord) -> None:
        """Draw what is missing of an interrupted suggestion, as it would have been drawn."""
        self._set_sampler(record.number)
        trial = self._entries.handle(record.number)
        finish_asking(self._study, trial, distributions(self._config))
        self._seal(record)
        self._entries.num_events += 1

    def _seal(self, record: TrialRecord) -> None:
        number, trial = record.number, self._entries.handle(record.number)
        is_integer = self._config.is_integer
        # The study file gives whole numbers as floats.
        values = trial.params.items()
        record.params = {name: int(v) if is_integer(name) else float(v) for name, v in values}
        record.name, record.began = self._rules.name_of(number), trial.datetime_start
        record.seed = hashed_seed(self._config.study.seed, number, 1)
        content = {"name": record.name, "seed": record.seed}
        self._entries.record(number, ASK, content, beside=record.params)

    def _set_sampler(self, number: int) -> None:
        if number in self._rules.told:
            self._study.sampler = optuna.samplers.RandomSampler()  # is asked for nothing
        else:
            self._study.sampler = make_sampler(self._config, number=number)
