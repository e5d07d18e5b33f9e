"""Trials that the budget closes, and that go on once it has grown, as if nothing had been."""

import dataclasses
import itertools
import shutil

import optuna
import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, HOST, WRITES, Killed, MortalStorage, accuracy, result, run
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.records import incumbent
from search.study.replay import replay
from search.study.storage import close_storage, sqlite_storage
from seresnet.failpoints import installed

SECONDS = 1 / 3600


class Clock:
    """A second passes whenever it is looked at."""

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def opened(storage, clock=None, **budget):
    """Trials of four epochs, judged after one and two; two of them are known settings."""
    config = with_budget(CONFIG, **budget)
    return Ledger.open(storage, config, clock=clock or (lambda: 0.0))


def report(ledger, suggestion):
    """Report the next epoch of a trial; return whether it goes on."""
    epoch = len(ledger.trials[suggestion.number].epochs) + 1
    each = result(epoch, accuracy(suggestion.params, epoch))
    return ledger.report(suggestion.number, each, HOST, attempt=suggestion.attempt)


def play(ledger, num_workers=1):
    """Let workers report in turn until nothing is left to do."""
    running = []
    while True:
        while len(running) < num_workers and (suggestion := ledger.suggest()) is not None:
            running.append(suggestion)
        if not running:
            return ledger
        running = [each for each in running if report(ledger, each)]


def outcome(ledger):
    """Return all of a study but how often a trial was handed out."""
    return [dataclasses.replace(trial, attempts=0) for trial in ledger.trials]


@pytest.fixture(scope="module")
def never_paused():
    return outcome(play(opened(InMemoryStorage())))


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request, tmp_path, empty_database):
    """A function that returns the storage as a new process would open it."""
    if request.param == "memory":
        storage = InMemoryStorage()
        return lambda: storage
    shutil.copy(empty_database, tmp_path / "study.db")
    return lambda: sqlite_storage(tmp_path / "study.db")


def stored(storage):
    return optuna.load_study(study_name="search", storage=storage).get_trials()


def test_when_the_hours_are_up_each_trial_is_paused_at_its_next_report(reopen):
    clock = Clock()
    ledger = opened(reopen(), clock, max_hours=5 * SECONDS)
    first, second = ledger.suggest(), ledger.suggest()  # the time begins with the first
    assert [report(ledger, each) for each in (first, second, first)] == [True, True, True]
    assert not report(ledger, first)
    assert ledger.suggest() is None
    assert not ledger.may_suggest_later
    assert ledger.num_remaining == 1
    assert not report(ledger, second)
    assert ledger.num_remaining == 0
    assert [(t.state, t.stop_reason, len(t.epochs)) for t in ledger.trials] == [
        ("PRUNED", "budget", 3), ("PRUNED", "budget", 2),
    ]  # fmt: skip
    assert Ledger.load(reopen()).trials == ledger.trials
    assert [(t.state.name, t.value) for t in stored(reopen())] == [
        ("PRUNED", t.value) for t in ledger.trials
    ]
    assert not any(t.is_finished or t.is_running for t in ledger.trials)


def test_a_report_that_ends_a_trial_ends_it_though_the_hours_are_up():
    ledger = opened(InMemoryStorage(), Clock(), max_hours=4 * SECONDS)
    first = ledger.suggest()
    assert [report(ledger, first) for _ in range(4)] == [True, True, True, False]
    assert (ledger.trials[0].state, ledger.trials[0].stop_reason) == ("COMPLETE", "max_epochs")


def test_paused_trials_go_on_first_under_their_numbers(reopen):
    ledger = opened(reopen(), Clock(), max_hours=3 * SECONDS)
    suggestions = [ledger.suggest() for _ in range(2)]
    for each in suggestions:
        while report(ledger, each):
            pass
    before = stored(reopen())
    again = opened(reopen(), Clock(), max_hours=100 * SECONDS)
    assert [(t.state, t.stop_reason) for t in again.trials] == 2 * [("RUNNING", "")]
    for trial, old in zip(stored(reopen()), before, strict=True):
        assert (trial.state.name, trial.value, trial.datetime_complete) == ("RUNNING", None, None)
        assert (trial.params, trial.intermediate_values) == (old.params, old.intermediate_values)
        assert trial.datetime_start == old.datetime_start
    for old in suggestions:
        new, done = again.suggest(), len(again.trials[old.number].epochs)
        assert new == dataclasses.replace(old, attempt=2, epochs_stored=done)
    assert again.suggest().number == 2


def test_the_next_start_with_the_same_budget_does_nothing(reopen):
    play(opened(reopen(), Clock(), max_hours=7 * SECONDS))
    before = stored(reopen())
    ledger = opened(reopen(), Clock(), max_hours=7 * SECONDS)
    assert (ledger.num_remaining, ledger.suggest()) == (0, None)
    assert ledger.num_open > 0
    assert stored(reopen()) == before


@pytest.mark.parametrize(("hours", "num_workers"), [(7, 1), (5, 3)])
def test_a_study_paused_again_and_again_ends_as_one_that_never_was(
    never_paused, reopen, hours, num_workers
):
    for starts in itertools.count(1):
        ledger = opened(reopen(), Clock(), max_hours=hours * starts * SECONDS)
        assert not any(t.is_paused for t in ledger.trials)
        if not play(ledger, num_workers).num_open:
            break
    assert starts > 1
    assert replay(reopen()).difference == ""
    if num_workers == 1:
        assert outcome(ledger) == never_paused
    assert any(name.startswith("pause:") for t in stored(reopen()) for name in t.user_attrs)


def begin(storage, *counts):
    """Begin trials, each better than the one before, and report so many epochs, without a limit."""
    ledger = opened(storage)
    for number, count in enumerate(counts):
        assert run(ledger, *count * [0.1 * number]) == number
    assert [len(t.epochs) for t in ledger.trials if t.is_running] == list(counts)


def test_a_smaller_budget_of_epochs_closes_what_it_does_not_pay_for(reopen):
    """Six epochs are done; eight pay for the last two of one trial, or for the last of another."""
    begin(reopen(), 2, 3, 1)
    ledger = opened(reopen(), max_total_epochs=8)
    assert [t.stop_reason for t in ledger.trials] == ["", "", "budget"]
    assert ledger.suggest().number == 0
    assert ledger.suggest() is None
    assert ledger.may_suggest_later
    ledger.fail(0, kind="diverged", error="")
    second = ledger.suggest()
    assert second.number == 1
    assert not report(ledger, second)
    assert ledger.trials[1].state == "COMPLETE"
    assert (ledger.num_remaining, ledger.suggest()) == (0, None)
    assert sum(len(t.epochs) for t in ledger.trials) == 7
    assert replay(reopen()).difference == ""


def test_what_waits_until_it_is_no_longer_paid_for_is_closed(reopen):
    """Two epochs are done; eight pay for any of the trials, but not for all."""
    begin(reopen(), 1, 1, 0)
    ledger = opened(reopen(), max_total_epochs=8)
    assert [t.state for t in ledger.trials] == 3 * ["RUNNING"]
    play(ledger, num_workers=3)
    assert [t.stop_reason for t in ledger.trials] == ["max_epochs", "max_epochs", "budget"]
    assert ledger.num_remaining == 0


def test_a_budget_that_pays_for_one_of_the_paused_opens_that_one(reopen):
    begin(reopen(), 1, 3, 3, 2)
    closed = opened(reopen(), max_total_epochs=9)
    assert [t.stop_reason for t in closed.trials] == 4 * ["budget"]
    ledger = opened(reopen(), max_total_epochs=10)
    assert [t.stop_reason for t in ledger.trials] == ["budget", "", "", "budget"]
    play(ledger)
    assert [t.stop_reason for t in ledger.trials] == ["budget", "max_epochs", "budget", "budget"]


@pytest.mark.parametrize("ends", [True, False], ids=["closed", "killed"])
def test_time_is_kept_through_all_starts(reopen, ends):
    clock = Clock()
    ledger = opened(reopen(), clock)
    suggestion = ledger.suggest()
    clock.now += 1000
    report(ledger, suggestion)
    clock.now += 20
    report(ledger, suggestion)
    assert ledger.limits.seconds == 1022
    if ends:
        ledger.keep_time()
    again = opened(reopen(), Clock(), max_hours=1)
    assert again.limits.seconds == (1022 if ends else 1001)
    assert again.limits.seconds_left == 3600 - again.limits.seconds


def test_what_comes_before_and_after_the_search_takes_no_time():
    clock = Clock()
    ledger = opened(InMemoryStorage(), clock)
    clock.now += 500
    suggestion = ledger.suggest()
    report(ledger, suggestion)
    clock.now += 500
    ledger.keep_time()
    assert ledger.limits.seconds == 1


def test_time_is_stored_with_ends_and_else_every_half_minute():
    storage, clock = MortalStorage(), Clock()
    ledger = opened(storage, clock)
    suggestion = ledger.suggest()
    num = storage.writes.count("set_study_user_attr")
    for seconds, writes in ((10, 0), (10, 0), (15, 1), (5, 2)):  # the last is an end
        clock.now += seconds
        report(ledger, suggestion)
        assert storage.writes.count("set_study_user_attr") - num == writes


def test_a_paused_trial_hears_nothing_and_fails_no_more():
    ledger = opened(InMemoryStorage(), Clock(), max_hours=1 * SECONDS)
    suggestion = ledger.suggest()
    assert not report(ledger, suggestion)
    assert not report(ledger, suggestion)
    ledger.fail(0, kind="worker-died", error="")
    assert (ledger.trials[0].stop_reason, len(ledger.trials[0].epochs)) == ("budget", 1)
    assert ledger.handed_out() == []
    assert incumbent(ledger.trials) is None


def test_a_value_that_was_judged_before_the_pause_is_not_judged_again(reopen):
    """The third passes its rung; when its pause is the study's newest event, others were better."""
    ledger = opened(reopen(), Clock(), max_hours=7 * SECONDS)
    suggestions = [ledger.suggest() for _ in range(4)]
    for number, value in ((0, 0.1), (2, 0.5), (3, 0.9)):
        ledger.report(number, result(1, value), HOST, attempt=1)
    assert ledger.trials[2].is_running
    assert not ledger.report(2, result(1, 0.5), HOST, attempt=1)  # as a restarted worker says it
    assert [t.stop_reason for t in ledger.trials] == ["", "", "budget", ""]
    again = opened(reopen())
    assert [t.stop_reason for t in again.trials] == 4 * [""]
    assert suggestions[2].number in again._orphans
    assert replay(reopen()).difference == ""


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
        ledger = play(opened(storage, Clock(), num_trials=FEW, **budget))
    return ledger


@pytest.mark.parametrize("kind", sorted(WRITES - {"create_new_study", "set_trial_param"}))
def test_a_kill_before_any_write_of_a_paused_study_changes_nothing(never_paused, kind):
    whole = MortalStorage()
    assert outcome(command(whole, BUDGETS)) == never_paused[:FEW]
    assert sum("pause" in name for t in stored(whole) for name in t.user_attrs) == 2
    for index in range(whole.writes.count(kind)):
        storage = MortalStorage()
        storage.kill_before([kind], index)
        with pytest.raises(Killed):
            command(storage, BUDGETS)
        assert outcome(command(storage, BUDGETS[index % 3 :])) == never_paused[:FEW]
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
    assert outcome(ledger) == never_paused[:FEW]
    storage = sqlite_storage(path)
    assert replay(storage).difference == ""
    close_storage(storage)
