"""Who carries a trial out: handed out again after an interruption, and only the newest is heard."""

import dataclasses

from optuna.storages import InMemoryStorage

from fakes import CONFIG, HOST, result
from search.study.ledger import Ledger


def report(ledger, suggestion):
    """Report the first epoch of a trial."""
    return ledger.report(suggestion.number, result(1, 0.5), HOST, attempt=suggestion.attempt)


def test_interrupted_trials_are_handed_out_first_as_they_were():
    storage = InMemoryStorage()
    before = Ledger.open(storage, CONFIG)
    handed_out = [before.suggest() for _ in range(4)]
    before.fail(1, kind="diverged", error="")
    report(before, handed_out[2])
    ledger = Ledger.open(storage, CONFIG)
    again = [ledger.suggest() for _ in range(3)]
    assert again == [
        dataclasses.replace(handed_out[k], attempt=2, epochs_stored=num)
        for k, num in ((0, 0), (2, 1), (3, 0))
    ]
    assert ledger.suggest().number == 4
    assert list(ledger.trials[2].epochs) == [1]
    assert [t.attempts for t in Ledger.load(storage).trials] == [2, 1, 2, 2, 1]


def test_a_worker_whose_attempt_is_over_is_not_heard():
    storage = InMemoryStorage()
    old = Ledger.open(storage, CONFIG).suggest()
    ledger = Ledger.open(storage, CONFIG)
    new = ledger.suggest()
    assert (old.attempt, new.attempt) == (1, 2)
    assert not report(ledger, old)
    ledger.fail(0, kind="exception", error="of an orphan", attempt=old.attempt)
    assert (ledger.trials[0].state, ledger.trials[0].epochs) == ("RUNNING", {})
    assert report(ledger, new)


def test_trials_taken_back_are_handed_out_anew():
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    first = [ledger.suggest() for _ in range(3)]
    report(ledger, first[1])
    assert ledger.handed_out() == [0, 1, 2]
    ledger.take_back()
    assert ledger.handed_out() == []
    again = [ledger.suggest() for _ in range(2)]
    assert [(s.number, s.attempt, s.epochs_stored) for s in again] == [(0, 2, 0), (1, 2, 1)]
    assert ledger.handed_out() == [0, 1]
