import dataclasses
import json

import pytest
from optuna.storages import InMemoryStorage

import fakes
from search.study.confirmation import conclude, is_current, read_confirmation, write_confirmation
from search.study.contest import planned, terms_of
from search.study.ledger import Ledger
from search.study.verdict import RULE

# Trial to its accuracies with seeds 11, 12, 13; in the search they had 0.4, 0.5, 0.6.
BETTER = {"t0000": [0.40, 0.42, 0.44], "t0001": [0.52, 0.55, 0.56], "t0002": [0.53, 0.54, 0.58]}
WORSE = {"t0000": [0.60, 0.62, 0.64], "t0001": [0.52, 0.54, 0.57], "t0002": [0.53, 0.54, 0.58]}


@pytest.fixture
def ledger():
    """Three trials of four epochs: baseline, recipe and one more."""
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    for value in (0.4, 0.5, 0.6):
        fakes.run(ledger, value, value, value, value)
    return ledger


def with_confirm(config, **changes):
    return dataclasses.replace(config, confirm=dataclasses.replace(config.confirm, **changes))


def by_run(values, **changed):
    runs = {f"{who}-seed{11 + k}": v for who, row in values.items() for k, v in enumerate(row)}
    return {**runs, **{name.replace("_", "-"): value for name, value in changed.items()}}


def concluded(ledger, values, **changed):
    terms = terms_of(ledger.config)
    return conclude(ledger, terms, by_run(values, **changed), num_val=256)


def test_the_winner_that_beats_the_baseline_is_told_with_the_searchs_optimism(ledger):
    found = concluded(ledger, BETTER)
    assert (found.winner, found.is_better, found.rule) == ("t0002", True, RULE)
    assert found.sentence.startswith("t0002 is shown to be better than the baseline: by 13.00 ")
    assert found.sentence.endswith("; the search had overstated it by 5.00")
    assert [row.trial for row in found.entrants] == ["t0002", "t0001", "t0000"]
    best, _, baseline = found.entrants
    assert best.mean == pytest.approx(0.55)
    assert best.gain == pytest.approx(0.13)
    assert best.at_least + best.at_most == pytest.approx(0.26)
    assert best.overstated == pytest.approx(0.05)
    assert best.values == {"11": 0.53, "12": 0.54, "13": 0.58}
    assert (baseline.gain, baseline.at_least) == (None, None)
    assert (found.degrees, found.num_val) == (4, 256)
    assert found.image_error == pytest.approx(((0.55 * 0.45 + 0.42 * 0.58) / 256) ** 0.5)


def test_the_verdict_changes_when_the_baseline_takes_the_winners_place(ledger):
    found = concluded(ledger, WORSE)
    assert (found.winner, found.is_better) == ("t0000", False)
    assert found.sentence.startswith("not shown to be better: the baseline is the highest ")
    assert found.image_error is None


def test_of_a_shorter_schedule_the_search_says_nothing(ledger):
    ledger.config = with_confirm(ledger.config, epochs=2)
    found = concluded(ledger, BETTER)
    assert {row.overstated for row in found.entrants} == {None}
    assert "the search" not in found.sentence


def test_a_candidate_that_diverges_is_out(ledger):
    found = concluded(ledger, BETTER, t0002_seed12="diverged in epoch 1: loss")
    assert (found.winner, found.is_better) == ("t0001", True)
    assert found.entrants[0].error == "diverged in epoch 1: loss (seed 12)"
    assert (found.entrants[0].mean, found.degrees) == (None, 2)


def test_beside_a_baseline_that_diverges_nobody_is_shown_to_be_better(ledger):
    found = concluded(ledger, BETTER, t0000_seed11="diverged in epoch 1: loss")
    assert (found.winner, found.is_better) == ("t0002", False)
    assert "t0002 is not shown to be better than the baseline" in found.sentence
    assert "diverged in epoch 1: loss (seed 11)" in found.sentence
    assert (found.noise, found.critical, found.image_error) == (None, None, None)


def test_what_was_written_is_read_back(ledger, tmp_path):
    found = concluded(ledger, BETTER)
    write_confirmation(found, tmp_path / "confirm.json")
    assert read_confirmation(tmp_path / "confirm.json") == found
    assert is_current(read_confirmation(tmp_path / "confirm.json"), ledger)


def edited(text):
    return text.replace('"winner": "t0002"', '"winner": "t0001"')


def of_another_form(text):
    return json.dumps({"winner": 3}, allow_nan=False)


@pytest.mark.parametrize(
    "change",
    [edited, of_another_form, lambda text: text[:-40], lambda text: "", lambda text: "[]"],
    ids=["edited", "another-form", "cut", "empty", "a-list"],
)
def test_a_record_that_was_changed_counts_for_nothing(ledger, tmp_path, change):
    path = tmp_path / "confirm.json"
    write_confirmation(concluded(ledger, BETTER), path)
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    assert read_confirmation(path) is None


def test_a_missing_record_is_none(tmp_path):
    assert read_confirmation(tmp_path / "confirm.json") is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"seeds": (11, 12, 14)}, False, id="seeds"),
        pytest.param({"epochs": 3}, False, id="epochs"),
        pytest.param({"top": 1}, False, id="fewer"),
        pytest.param({"epochs": 4}, True, id="the-same-said-otherwise"),
        pytest.param({"top": 0}, True, id="off"),
    ],
)
def test_other_terms_make_a_confirmation_stale(ledger, changes, expected):
    found = concluded(ledger, BETTER)
    ledger.config = with_confirm(ledger.config, **changes)
    assert is_current(found, ledger) == expected


def test_a_new_best_trial_makes_a_confirmation_stale_and_a_weak_one_does_not(ledger):
    ledger.config = with_confirm(ledger.config, top=2)
    found = concluded(ledger, BETTER)
    fakes.run(ledger, 0.1)
    assert is_current(found, ledger)
    fakes.run(ledger, 0.9, 0.9, 0.9, 0.9)
    assert not is_current(found, ledger)


def test_another_study_is_not_confirmed_by_it(ledger):
    other = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    for value in (0.4, 0.5, 0.6):
        fakes.run(other, value, value, value, value)
    found = concluded(ledger, BETTER)
    assert planned(other, found.terms)[2].config == planned(ledger, found.terms)[2].config
    assert not is_current(found, other)


def test_a_confirmation_remembers_those_before_it(ledger):
    first = concluded(ledger, WORSE)
    terms = terms_of(ledger.config)
    second = conclude(ledger, terms, by_run(BETTER), num_val=256, before=first)
    third = conclude(ledger, terms, by_run(BETTER), num_val=256, before=second)
    assert third.number == 3
    assert third.sentence.endswith("; confirmation 3 of this study")
    assert [each["winner"] for each in third.earlier] == ["t0000", "t0002"]
    assert third.earlier[0]["sentence"] == first.sentence
