"""A study that budgets pause and kills interrupt, wherever, ends as one that ran through."""

import random
import shutil

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage

from fakes import (
    SECONDS,
    WRITES,
    Clock,
    Killed,
    MortalStorage,
    opened_within,
    play_out,
    report_next,
    trials_of,
)
from search.study.ledger import Ledger
from search.study.replay import replay
from search.study.storage import close_storage, sqlite_storage
from seresnet.failpoints import installed


@pytest.fixture(scope="module")
def never_paused():
    return trials_of(play_out(opened_within(InMemoryStorage())))


def stored(storage):
    return optuna.load_study(study_name="search", storage=storage).get_trials()


BUDGETS = [
    {"max_hours": 6 * SECONDS},
    {"max_hours": 30 * SECONDS, "max_total_epochs": 8},
    {"max_hours": 14 * SECONDS, "max_total_epochs": 16},
    {},
]
FEW = 4


def command(storage, budgets):
    """Run a small study to its end, with one budget after the other; return its ledger."""
    for budget in budgets:
        ledger = play_out(opened_within(storage, Clock(), num_trials=FEW, **budget))
    return ledger


@pytest.mark.parametrize("kind", sorted(WRITES - {"create_new_study", "set_trial_param"}))
def test_a_kill_before_any_write_of_a_paused_study_changes_nothing(never_paused, kind):
    whole = MortalStorage()
    assert trials_of(command(whole, BUDGETS)) == never_paused[:FEW]
    assert sum("pause" in name for t in stored(whole) for name in t.user_attrs) == 2
    for index in range(whole.writes.count(kind)):
        storage = MortalStorage()
        storage.kill_before([kind], index)
        with pytest.raises(Killed):
            command(storage, BUDGETS)
        assert trials_of(command(storage, BUDGETS[index % 3 :])) == never_paused[:FEW]
        assert replay(storage).difference == ""


@pytest.mark.parametrize(
    "place", ["before-tell", "after-tell", "before-reopened", "after-reopened"]
)
def test_a_kill_at_any_place_of_pausing_and_opening_changes_nothing(
    never_paused, tmp_path, empty_database, place
):
    path, kills, passed = shutil.copy(empty_database, tmp_path / "study.db"), 0, 0

    def kill_every_second_time(name, _detail):
        nonlocal kills, passed
        passed += name == place
        if name == place and passed % 2:
            kills += 1
            raise Killed

    def run(budget):
        storage = sqlite_storage(path)
        try:
            return command(storage, [budget])
        finally:
            close_storage(storage)

    with installed(kill_every_second_time):
        for budget in BUDGETS:
            while True:
                try:
                    ledger = run(budget)
                    break
                except Killed:
                    continue
    assert kills > 0
    assert trials_of(ledger) == never_paused[:FEW]
    storage = sqlite_storage(path)
    assert replay(storage).difference == ""
    close_storage(storage)


def work(ledger, chance):
    """Let three workers report in a random order, some of them failures, until nothing is left."""
    running = []
    while True:
        while len(running) < 3 and (suggestion := ledger.suggest()) is not None:
            running.append(suggestion)
        if not running:
            return
        each = chance.choice(running)
        fails = chance.random() < 0.06
        if fails:
            ledger.fail(each.number, kind="diverged", error="")
        if fails or not report_next(ledger, each):
            running.remove(each)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), kills=st.booleans())
def test_any_budgets_in_any_order_keep_every_promise(seed, kills):
    chance, storage = random.Random(seed), MortalStorage()
    for num_left in reversed(range(chance.randint(2, 7))):
        limit = chance.choice(["none", chance.randint(8, 30)]) if num_left else "none"
        hours = chance.choice(["none", chance.randint(1, 60) * SECONDS]) if num_left else "none"
        storage.kill_before(WRITES if kills and num_left else (), chance.randint(0, 60))
        try:
            ledger = opened_within(storage, Clock(), max_total_epochs=limit, max_hours=hours)
            before = sum(len(t.epochs) for t in ledger.trials)
            work(ledger, chance)
        except Killed:
            continue
        assert limit == "none" or sum(len(t.epochs) for t in ledger.trials) <= max(limit, before)
        assert not any(t.is_running for t in ledger.trials)
        assert ledger.num_remaining == 0
        assert replay(storage).difference == ""
        assert Ledger.load(storage).trials == ledger.trials
    assert [t.is_finished for t in ledger.trials] == 8 * [True]
