"""Writes that are stored together or not at all."""

import pytest
from optuna.storages import InMemoryStorage
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidRequestError

from fakes import CONFIG, HOST, accuracy, result
from search.study.ledger import Ledger
from search.study.storage import sqlite_storage
from search.study.transaction import one_transaction
from seresnet.failpoints import installed


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.db"


@pytest.fixture
def storage(path):
    storage = sqlite_storage(path)
    Ledger.open(storage, CONFIG)
    return storage


def attributes(path):
    """What another process reads of the study."""
    storage = sqlite_storage(path)
    return storage.get_study_user_attrs(storage.get_all_studies()[0]._study_id)


def set_two(storage, study=1):
    """Write two values, each of which Optuna commits."""
    for name in ("one", "two"):
        storage.set_study_user_attr(study, name, name)


def set_two_and_die(storage, study=1):
    with one_transaction(storage):
        set_two(storage, study)
        raise Killed


def set_two_and_roll_back(storage):
    """As Optuna does, without a word, where a row is there already."""
    with one_transaction(storage):
        set_two(storage)
        session = storage.scoped_session()
        session.execute(text("SELECT 1"))
        session.rollback()


def test_another_process_sees_all_writes_at_the_end_and_none_before(path, storage):
    with one_transaction(storage):
        set_two(storage)
        assert storage.get_study_user_attrs(1)["two"] == "two"
        assert "one" not in attributes(path)
    assert {"one", "two"} <= set(attributes(path))


def test_nothing_is_stored_of_a_block_that_raises_and_the_storage_serves_on(path, storage):
    with pytest.raises(Killed):
        set_two_and_die(storage)
    assert "one" not in attributes(path)
    set_two(storage)
    assert {"one", "two"} <= set(attributes(path))


def test_a_transaction_that_was_rolled_back_within_is_not_taken_for_stored(path, storage):
    with pytest.raises(InvalidRequestError):
        set_two_and_roll_back(storage)
    assert "one" not in attributes(path)


def test_storage_in_memory_stores_each_write_at_once():
    storage = InMemoryStorage()
    Ledger.open(storage, CONFIG)
    with pytest.raises(Killed):
        set_two_and_die(storage, study=0)
    assert storage.get_study_user_attrs(0)["one"] == "one"


def test_a_suggestion_an_epoch_and_an_end_are_a_transaction_each(storage):
    ledger, writing = Ledger.open(storage, CONFIG), []

    def note(_connection, _cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE")):
            writing.append(True)

    commits = []

    def close(_connection):
        commits.extend(writing[:1])
        writing.clear()

    event.listen(storage.engine, "before_cursor_execute", note)
    event.listen(storage.engine, "commit", close)
    suggestion = ledger.suggest()
    assert len(commits) == 1
    for epoch in (1, 2, 3, 4):
        ledger.report(suggestion.number, result(epoch, 0.5), HOST, attempt=1)
        assert len(commits) == 1 + epoch + (epoch == 4)
    assert ledger.trials[0].state == "COMPLETE"


def play(ledger):
    """Work as one worker until nothing is left."""
    while (suggestion := ledger.suggest()) is not None:
        for epoch in range(max(ledger.trials[suggestion.number].epochs, default=1), 5):
            value = result(epoch, accuracy(suggestion.params, epoch))
            if not ledger.report(suggestion.number, value, HOST, attempt=suggestion.attempt):
                break
    return [(t.params, t.seed, t.state, t.stop_reason, t.epochs) for t in ledger.trials]


@pytest.mark.parametrize(
    "place", ["in-ask", "before-value", "after-value", "before-tell", "after-tell"]
)
def test_a_kill_at_any_place_of_the_ledger_changes_nothing(path, place):
    uninterrupted = play(Ledger.open(InMemoryStorage(), CONFIG))
    passed, kills = 0, 0

    def kill_at_times(name, _detail):
        nonlocal passed, kills
        passed += name == place
        if name == place and passed % 3 == 0:
            kills += 1
            raise Killed

    with installed(kill_at_times):
        while True:
            try:
                assert play(Ledger.open(sqlite_storage(path), CONFIG)) == uninterrupted
                break
            except Killed:
                continue
    assert kills > 1
    assert Ledger.load(sqlite_storage(path)).num_remaining == 0
