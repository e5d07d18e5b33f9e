"""What a study comes to: its order, its ends, its bookkeeping; on a fake with a known best."""

import dataclasses
import math
import shutil
from statistics import mean

import optuna
import pytest
from optuna.storages import InMemoryStorage

from fakes import CONFIG, HOST, accuracy, result, run
from search.study.errors import DamagedStudyError
from search.study.ledger import Ledger
from search.study.storage import sqlite_storage


def play(ledger):
    """Work as one worker until nothing is left."""
    while (suggestion := ledger.suggest()) is not None:
        record = ledger.trials[suggestion.number]
        epoch = max(record.epochs, default=1)  # a resumed trial reports its last epoch first
        attempt = suggestion.attempt
        while ledger.report(
            record.number, result(epoch, accuracy(record.params, epoch)), HOST, attempt=attempt
        ):
            epoch += 1
    return ledger


def with_study(**changes):
    return dataclasses.replace(CONFIG, study=dataclasses.replace(CONFIG.study, **changes))


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request, tmp_path, empty_database):
    """A function that returns the storage as a new process would open it."""
    if request.param == "memory":
        storage = InMemoryStorage()
        return lambda: storage
    shutil.copy(empty_database, tmp_path / "study.db")
    return lambda: sqlite_storage(tmp_path / "study.db")


@pytest.fixture
def ledger():
    return Ledger.open(InMemoryStorage(), CONFIG)


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def played(request, tmp_path_factory, empty_database):
    """Opens a study at its end, which has trials of every state."""
    storage = InMemoryStorage()
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("played") / "study.db"
        shutil.copy(empty_database, path)
        storage = sqlite_storage(path)
    ledger = Ledger.open(storage, CONFIG)
    for _ in range(4):
        ledger.suggest()
    for epoch in (1, 2):
        params = ledger.trials[3].params
        assert ledger.report(3, result(epoch, accuracy(params, epoch)), HOST, attempt=1)
    ledger.fail(3, kind="diverged", error="in epoch 3")
    play(Ledger.open(storage, CONFIG))
    return lambda: storage if request.param == "memory" else sqlite_storage(path)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_the_baseline_runs_first_then_the_recipes_then_what_the_sampler_says(sampler):
    sampler = dataclasses.replace(CONFIG.sampler, name=sampler)
    config = dataclasses.replace(CONFIG, sampler=sampler)
    trials = play(Ledger.open(InMemoryStorage(), config)).trials
    assert [t.number for t in trials] == list(range(8))
    assert [t.name for t in trials] == ["baseline", "bare"] + 6 * [""]
    assert [t.params for t in trials[:2]] == [CONFIG.baseline, CONFIG.recipes["bare"]]
    assert len({t.params["dropout"] for t in trials[2:]}) == 6


def test_known_settings_are_never_stopped_however_weak(ledger):
    better = [run(ledger) for _ in range(8)][2:]
    for number in better:
        ledger.report(number, result(1, 0.9), HOST, attempt=1)
    for number in (0, 1):
        assert [ledger.report(number, result(e, 0.1), HOST, attempt=1) for e in (1, 2, 3, 4)] == [
            True, True, True, False,
        ]  # fmt: skip
        assert ledger.trials[number].state == "COMPLETE"


def test_optuna_holds_every_epoch_of_a_trial_and_its_true_end(played):
    trials = optuna.load_study(study_name="search", storage=played()).trials
    assert [t.number for t in trials] == list(range(8))
    assert {t.state.name for t in trials} == {"COMPLETE", "PRUNED", "FAIL"}
    for trial in trials:
        reported, end = dict(trial.intermediate_values), trial.user_attrs["end"]
        stop_reason = end["stop_reason"]
        assert list(reported) == list(range(1, len(reported) + 1))
        assert reported == {e: accuracy(trial.params, e) for e in reported}
        if trial.state.name == "FAIL":
            assert (trial.number, len(reported), stop_reason) == (3, 2, "diverged")
            assert (end["error_kind"], end["error"]) == ("diverged", "in epoch 3")
        else:
            assert trial.value == reported[len(reported)]
            is_complete = trial.state.name == "COMPLETE"
            assert is_complete == (len(reported) == 4)
            assert stop_reason == ("max_epochs" if is_complete else f"rung {len(reported)}")


def test_integer_hyperparameters_are_integers(played, ledger):
    handed_out = [ledger.suggest().params for _ in range(8)]
    for params in [*handed_out, *(t.params for t in Ledger.load(played()).trials)]:
        assert type(params["crop_padding"]) is int
        assert type(params["dropout"]) is float
        assert 0 <= params["crop_padding"] <= 8


def test_what_was_reported_reads_back_equal(reopen):
    ledger = Ledger.open(reopen(), CONFIG)
    reported = [result(epoch, 0.1 * epoch) for epoch in (1, 2, 3)]
    number = ledger.suggest().number
    for each in reported:
        ledger.report(number, each, HOST, attempt=1)
    (record,) = Ledger.load(reopen()).trials
    assert list(record.epochs.values()) == reported
    assert record.host == HOST
    assert (record.state, record.attempts, record.last) == ("RUNNING", 1, reported[-1])


def test_num_trials_is_the_total_and_a_larger_one_extends_the_study(reopen):
    first = play(Ledger.open(reopen(), with_study(num_trials=3)))
    assert first.num_remaining == 0
    assert first.suggest() is None
    kept = list(first.trials)
    ledger = Ledger.open(reopen(), with_study(num_trials=5))
    assert ledger.num_remaining == 2
    assert play(ledger).trials[:3] == kept
    assert len(ledger.trials) == 5
    assert Ledger.open(reopen(), with_study(num_trials=4)).num_remaining == 0


def test_a_repeated_epoch_is_not_stored_twice(reopen):
    ledger = Ledger.open(reopen(), CONFIG)
    number = run(ledger, 0.3, 0.4)
    assert ledger.report(number, result(2, 0.7), HOST, attempt=1)
    assert Ledger.load(reopen()).trials == ledger.trials
    assert ledger.trials[number].value == 0.4


def test_a_repeated_epoch_was_decided_upon_when_it_came(ledger):
    for value in (0.2, 0.2):
        run(ledger, value)
    number = run(ledger, 0.5)
    for value in (0.6, 0.7, 0.8):
        run(ledger, value)
    assert ledger.report(number, result(1, 0.5), HOST, attempt=1)
    assert not ledger.trials[number].is_finished


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None], ids=str)
def test_a_value_that_is_not_finite_is_refused_and_not_stored(ledger, value):
    number = ledger.suggest().number
    with pytest.raises(ValueError, match=f"t0000: val_accuracy must be finite, got {value}"):
        ledger.report(number, result(1, value), HOST, attempt=1)
    assert ledger.trials[number].epochs == {}
    assert ledger.report(number, result(1, 0.5), HOST, attempt=1)


def test_a_failed_trial_keeps_its_kind_and_its_epochs(reopen):
    ledger = Ledger.open(reopen(), CONFIG)
    ledger.fail(run(ledger, 0.3), kind="exception", error='ValueError: `x`, "y"\nand z')
    (record,) = Ledger.load(reopen()).trials
    assert record == ledger.trials[0]
    assert (record.state, record.stop_reason, record.error_kind) == (
        "FAIL", "exception", "exception",
    )  # fmt: skip
    assert record.error == 'ValueError: `x`, "y"\nand z'
    assert list(record.epochs) == [1]


def test_suggestions_and_seeds_are_a_function_of_the_studys_seed():
    def trials(seed):
        ledger = play(Ledger.open(InMemoryStorage(), with_study(seed=seed)))
        return [(t.params, t.seed) for t in ledger.trials]

    assert trials(2) == trials(2)
    assert all(a != b for a, b in zip(trials(2)[2:], trials(3)[2:], strict=True))
    assert len({seed for _, seed in trials(2)}) == 8


def test_a_suggestion_is_a_function_of_the_history():
    def suggested(values):
        ledger = Ledger.open(InMemoryStorage(), CONFIG)
        for value in values:
            run(ledger, value, value, value, value)
        return [t.params for t in ledger.trials]

    rising, falling = [0.1 * k for k in range(8)], [0.8 - 0.1 * k for k in range(8)]
    assert suggested(rising) == suggested(rising)
    assert suggested(rising)[:3] == suggested(falling)[:3]  # until then tpe draws at random
    assert suggested(rising) != suggested(falling)


def test_tpe_turns_to_the_good_region_after_its_start_up():
    config = dataclasses.replace(
        with_study(num_trials=40), sampler=dataclasses.replace(CONFIG.sampler, num_startup=10)
    )
    sampled = [accuracy(t.params, 4) for t in play(Ledger.open(InMemoryStorage(), config)).trials]
    assert mean(sampled[-15:]) > mean(sampled[2:12]) + 0.05
    assert max(sampled) > 0.8  # of at most 0.875


def test_an_observer_sees_each_change_when_it_is_stored(reopen):
    storage = reopen()
    ledger = Ledger.open(storage, CONFIG)
    seen = []

    def observe(trial):
        assert Ledger.load(storage).trials[trial.number] == trial
        seen.append((trial.number, trial.state, len(trial.epochs)))

    ledger.observe = observe
    run(ledger, 0.1, 0.2, 0.3, 0.4)
    ledger.fail(run(ledger, 0.1), kind="diverged", error="")
    ends = [(0, "RUNNING", 3), (0, "COMPLETE", 4), (1, "RUNNING", 1), (1, "FAIL", 1)]
    assert seen == [(0, "RUNNING", 1), (0, "RUNNING", 2), *ends]


def test_an_empty_database_is_called_damaged(reopen):
    with pytest.raises(DamagedStudyError, match=r"study\.db: holds no study") as caught:
        Ledger.load(reopen())
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "name", ["two words", "what?mode=ro", "100%25", "a#b", "ü"], ids=lambda name: name
)
def test_the_database_lies_exactly_at_its_path(tmp_path, empty_database, name):
    path = tmp_path / name / f"{name}.db"
    path.parent.mkdir()
    shutil.copy(empty_database, path)
    run(Ledger.open(sqlite_storage(path), CONFIG), 0.5)
    assert b"baseline" in path.read_bytes()
    assert Ledger.load(sqlite_storage(path)).trials[0].value == 0.5
    assert [p.name for p in tmp_path.iterdir()] == [name]
