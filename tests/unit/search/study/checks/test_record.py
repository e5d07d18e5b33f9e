"""Equal runs are equal, and the record derives again, or not."""

import pytest

from fakes import make_snapshot, trial
from search.study.ablation import Ablation
from search.study.checks.check import Status
from search.study.checks.record import check_record
from search.study.confirmation import Confirmation, Entrant
from search.study.contest import Terms
from search.study.replay import Verdict

SOUND = Verdict(num_trials=8, num_epochs=20, num_suggestions=8, num_decisions=20)


def both(value):
    """A confirmation and an ablation that share the winner's run with seed 11."""
    terms = Terms(top=1, seeds=(11, 12), epochs=4)
    row = Entrant(
        trial="t0001", name="", params={}, val_accuracy_in_search=0.6, values={"11": 0.5, "12": 0.6}
    )
    confirmation = Confirmation(
        study="a-study", made="", number=1, rule="", method="", error_rate=0.05, terms=terms,
        runs={"t0001-seed11": "one", "t0001-seed12": "two"}, entrants=[row], winner="t0001",
        is_better=True, sentence="", noise=None, degrees=0, critical=None, num_val=256,
        image_error=None,
    )  # fmt: skip
    ablation = Ablation(
        study="a-study", made="", rule="", method="", error_rate=0.05, trial="t0001", seeds=(11,),
        epochs=4, search_epochs=4, runs={"winner-seed11": "one", "baseline-seed11": "other"},
        values={"winner": [value], "baseline": [0.4]}, effects=[], recipe={}, gain=None, kept=None,
        keeps_gain=False, sentence="", noise=None, degrees=0,
    )  # fmt: skip
    trials = [trial(0, [0.4] * 4), trial(1, [0.6] * 4)]
    return make_snapshot(trials, confirmation=confirmation, ablation=ablation)


def test_a_record_that_derives_again_passes():
    found = check_record(make_snapshot(), SOUND)
    assert found.status is Status.PASS
    assert "8/8 suggestions, 20/20 decisions identical" in found.sentence
    assert found.advice == ""


def test_suggestions_that_were_taken_over_are_told():
    short = Verdict(num_trials=8, num_epochs=20, num_suggestions=3, num_decisions=20, num_told=5)
    found = check_record(make_snapshot(), short)
    assert found.status is Status.PASS
    assert "3/8 suggestions" in found.sentence
    assert "5 suggestions taken over" in found.sentence
    assert found.advice.endswith("python -m search.replay --study results/demo")


def test_a_record_that_does_not_derive_again_fails():
    changed = Verdict(num_trials=8, num_epochs=20, difference="event 7: t0001 epoch 2: no match")
    found = check_record(make_snapshot(), changed)
    assert found.status is Status.FAIL
    assert "event 7: t0001 epoch 2" in found.sentence
    assert "provenance.json" in found.advice


def test_a_record_that_nobody_has_derived_is_a_warning():
    found = check_record(make_snapshot())
    assert found.status is Status.WARNING
    assert found.advice == "python -m search.replay --study results/demo"


def test_equal_runs_with_equal_values_pass():
    found = check_record(both(0.5), SOUND)
    assert found.status is Status.PASS
    assert found.sentence.endswith("1 run made for two purposes, with equal values")


@pytest.mark.parametrize("replayed", [None, SOUND], ids=["alone", "beside-a-sound-record"])
def test_equal_runs_with_other_values_fail(replayed):
    found = check_record(both(0.51), replayed)
    assert found.status is Status.FAIL
    assert "t0001-seed11 0.5 and 0.51" in found.sentence
