"""`rungs: auto` in a study: who is exempt, when the rungs are chosen, and that all starts agree."""

import dataclasses
import random

import pytest
from optuna.storages import InMemoryStorage

from fakes import HOST, result
from search.study.config import loads
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.replay import replay
from search.study.space import StudyConfig, load_resolved
from seresnet.errors import ConfigError

STUDY = """\
study: {num_trials: 16, min_epochs: 2, max_epochs: 8, reduction_factor: 2, seed: 4}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
  crop_padding: {low: 0, high: 8}
baseline: {dropout: 0.2, crop_padding: 4}
recipes:
  bare: {dropout: 0.0, crop_padding: 0}
sampler: {name: tpe, num_startup: 6}
pruner: {name: asha, rungs: auto, num_exempt: 6}
"""
CONFIG = loads(STUDY, StudyConfig)
NUM_EXEMPT = 6


def straight(number, epoch):
    """Later trials are worse at every epoch; so the exempt ones' ranks never change."""
    return 0.9 - 0.01 * number - 0.1 / epoch


def crossing(number, epoch):
    return 0.5 + (0.01 if epoch == 8 else -0.01) * number


def report(ledger, suggestion, epoch, values):
    number, attempt = suggestion.number, suggestion.attempt
    each = result(epoch, values(number, epoch))
    return ledger.report(number, each, HOST, attempt=attempt)


def play(storage, values, seed=0, *, num_workers=1, num_steps=10**6, fails=(), config=CONFIG):
    """Let workers report in a random order, for so many steps; return whether all is done."""
    chance, ledger, running = random.Random(seed), Ledger.open(storage, config), []
    for _ in range(num_steps):
        while len(running) < num_workers and (suggestion := ledger.suggest()) is not None:
            running.append([suggestion, suggestion.epochs_stored])
        if not running:
            return True
        worker = chance.choice(running)
        worker[1] += 1
        if worker[0].number in fails:
            ledger.fail(worker[0].number, kind="diverged", error="")
            running.remove(worker)
        elif not report(ledger, worker[0], worker[1], values):
            running.remove(worker)
    return False


def ends(ledger):
    return [(t.state, len(t.epochs)) for t in ledger.trials]


def test_the_first_trials_run_whole_and_those_after_them_are_stopped():
    storage = InMemoryStorage()
    play(storage, straight)
    ledger = Ledger.load(storage)
    assert ends(ledger)[:NUM_EXEMPT] == [("COMPLETE", 8)] * NUM_EXEMPT
    assert ends(ledger)[NUM_EXEMPT:] == [("PRUNED", 2)] * 10
    choice = ledger.rules.choice(ledger.trials)
    assert (choice.first_rung, choice.num_curves) == (2, NUM_EXEMPT)


def test_where_curves_cross_nobody_is_stopped():
    storage = InMemoryStorage()
    play(storage, crossing)
    assert ends(Ledger.load(storage)) == [("COMPLETE", 8)] * 16


def test_until_the_last_exempt_trial_ends_nobody_is_stopped_and_then_at_once():
    ledger = Ledger.open(InMemoryStorage(), CONFIG)
    made = [ledger.suggest() for _ in range(9)]
    for epoch in (1, 2):
        assert all(report(ledger, each, epoch, straight) for each in made[:8])
    for epoch in range(3, 9):
        ends_there = [not report(ledger, each, epoch, straight) for each in made[:NUM_EXEMPT]]
        assert all(ends_there) == (epoch == 8)
        assert (ledger.rules.choice(ledger.trials) is not None) == (epoch == 8)
    assert ledger.rules.rungs == [2]
    assert report(ledger, made[6], 3, straight)  # it passed epoch 2 before the choice
    assert report(ledger, made[8], 1, straight)
    assert not report(ledger, made[8], 2, straight)


def test_a_failed_exempt_trial_counts_as_ended_and_has_no_curve():
    storage = InMemoryStorage()
    play(storage, straight, fails={2})
    ledger = Ledger.load(storage)
    assert ledger.rules.choice(ledger.trials).num_curves == NUM_EXEMPT - 1


def test_an_exempt_trial_that_waits_for_a_larger_budget_is_waited_for():
    storage = InMemoryStorage()
    play(storage, straight, num_steps=8 * (NUM_EXEMPT - 1) + 3)
    late = Ledger.open(storage, with_budget(CONFIG, max_hours=1e-12))
    assert [t.is_paused for t in late.trials] == [False] * 5 + [True]
    assert late.rules.choice(late.trials) is None
    play(storage, straight)
    ledger = Ledger.load(storage)
    assert ledger.rules.choice(ledger.trials).num_curves == NUM_EXEMPT
    assert replay(storage).difference == ""


def test_with_too_few_whole_curves_nobody_is_stopped():
    storage = InMemoryStorage()
    play(storage, straight, fails={1, 2, 3})
    ledger = Ledger.load(storage)
    assert "too few" in ledger.rules.describe_choice(ledger.trials)
    assert {state for state, _ in ends(ledger)} == {"COMPLETE", "FAIL"}


def test_what_is_judged_is_the_mean_of_the_epochs_before():
    def values(number, epoch):
        if number == 6:  # the best but for one epoch, which is a rung's
            return 0.8 if epoch == 8 else 0.95
        return straight(number, epoch)

    storage, long = (
        InMemoryStorage(),
        dataclasses.replace(CONFIG.study, num_trials=8, max_epochs=60),
    )
    play(storage, values, config=dataclasses.replace(CONFIG, study=long))
    ledger = Ledger.load(storage)
    assert ledger.rules.choice(ledger.trials).reduction_factor == 4
    assert ledger.rules.rungs == [2, 8, 32]
    assert [(t.state, len(t.epochs)) for t in ledger.trials[6:]] == [
        ("COMPLETE", 60),
        ("PRUNED", 2),
    ]


@pytest.mark.parametrize("values", [straight, crossing])
def test_a_new_start_after_any_step_decides_as_one_that_lives_on(values):
    whole = InMemoryStorage()
    play(whole, values)
    storage, total = InMemoryStorage(), 0
    while not play(storage, values, num_steps=1):
        total += 1
        assert total < 200
    assert ends(Ledger.load(storage)) == ends(Ledger.load(whole))
    assert [t.params for t in Ledger.load(storage).trials] == [
        t.params for t in Ledger.load(whole).trials
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_workers", [1, 4, 9])
def test_a_replay_is_identical_with_any_number_of_workers(seed, num_workers):
    storage = InMemoryStorage()
    while not play(storage, straight, seed, num_workers=num_workers, num_steps=25, fails={3}):
        seed += 1
    is_late = num_workers == 9  # most have passed the rung when it is chosen
    assert is_late or "PRUNED" in {state for state, _ in ends(Ledger.load(storage))}
    verdict = replay(storage)
    assert (verdict.difference, verdict.is_exact) == ("", True)
    assert verdict.num_decisions == verdict.num_epochs


def kept(storage):
    return Ledger.load(storage)._study.user_attrs.get("rungs")


def test_the_choice_is_kept_when_it_is_made_and_a_replay_compares_it():
    storage = InMemoryStorage()
    play(storage, straight, num_steps=NUM_EXEMPT * 8 - 1)
    assert kept(storage) is None
    play(storage, straight, num_steps=1)
    assert kept(storage)["first_rung"] == 2
    assert kept(storage)["sentence"].startswith("epoch 2 tells finals at r 1.00")
    other = {"first_rung": 4, "sentence": "epoch 4"}
    Ledger.load(storage)._study.set_user_attr("rungs", other)
    assert replay(storage).difference.startswith("rungs: 'epoch 4' was chosen, the rules say")


def test_a_choice_that_a_kill_left_out_is_kept_at_the_next_start(monkeypatch):
    storage = InMemoryStorage()
    monkeypatch.setattr("search.study.ledger.keep_choice", lambda study, choice: None)
    play(storage, straight, num_steps=NUM_EXEMPT * 8)
    monkeypatch.undo()
    assert kept(storage) is None
    assert replay(storage).difference == ""
    Ledger.open(storage, CONFIG)
    assert kept(storage)["first_rung"] == 2


def test_between_starts_the_rungs_may_not_change():
    storage = InMemoryStorage()
    Ledger.open(storage, CONFIG)
    for change in ({"rungs": "fixed"}, {"num_exempt": 5}):
        config = dataclasses.replace(CONFIG, pruner=dataclasses.replace(CONFIG.pruner, **change))
        with pytest.raises(ConfigError, match=f"pruner.{next(iter(change))}: "):
            Ledger.open(storage, config)


def test_a_study_that_was_made_before_there_was_a_choice_keeps_its_fixed_rungs(tmp_path):
    storage = InMemoryStorage()
    study = Ledger.open(storage, CONFIG)._study
    text = study.user_attrs["config"]
    assert "rungs: auto, num_exempt: 6" in text
    study.set_user_attr("config", text.replace(", rungs: auto, num_exempt: 6", ""))
    assert Ledger.load(storage).config.pruner.rungs == "fixed"
    file = tmp_path / "study.yaml"
    file.write_text(study.user_attrs["config"])
    Ledger.open(storage, load_resolved(file))
    file.write_text(text)
    assert load_resolved(file) == CONFIG


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(
            "num_exempt: 6", "num_exempt: 3", r"num_exempt: must be >= 4, got 3", id="few"
        ),
        pytest.param(
            "rungs: auto", "rungs: atuo", r"10: pruner\.rungs: must be auto or fixed", id="typo"
        ),
    ],
)  # fmt: skip
def test_what_is_no_rule_for_rungs_is_refused(old, new, complaint):
    assert old in STUDY
    with pytest.raises(ConfigError, match=complaint):
        loads(STUDY.replace(old, new), StudyConfig)


@pytest.mark.parametrize("limit", ["num_trials: 5", "max_total_epochs: 47, num_trials: 16"])
def test_a_study_too_small_for_a_choice_stops_nobody(limit):
    storage, config = InMemoryStorage(), loads(STUDY.replace("num_trials: 16", limit), StudyConfig)
    play(storage, straight, config=config)
    ledger = Ledger.load(storage)
    assert ends(ledger) == [("COMPLETE", 8)] * 5
    assert ledger.rules.describe_choice(ledger.trials) == "auto, decided after 6 whole trials"


def test_without_a_pruner_nothing_is_chosen():
    config = loads(STUDY.replace("name: asha", "name: none"), StudyConfig)
    storage = InMemoryStorage()
    play(storage, straight, config=config)
    assert ends(Ledger.load(storage)) == [("COMPLETE", 8)] * 16
    assert kept(storage) is None


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_exempt_trials_are_random_however_few_a_model_would_begin_with(sampler):
    few = f"name: {sampler}, num_startup: 1"
    made = []
    for text in (STUDY.replace("name: tpe, num_startup: 6", few), STUDY.replace("tpe", "random")):
        storage, config = InMemoryStorage(), loads(text, StudyConfig)
        play(storage, straight, config=config, num_steps=NUM_EXEMPT * 8 + 1)
        made.append([trial.params for trial in Ledger.load(storage).trials])
    modelled, random_ones = made
    assert modelled[:NUM_EXEMPT] == random_ones[:NUM_EXEMPT]
    assert modelled[NUM_EXEMPT] != random_ones[NUM_EXEMPT]
