import dataclasses

from search.view.page.marks import describe, is_winner
from search.view.page.units import units_of


def test_a_trial_is_told_in_a_line(whole):
    units = units_of(whole)
    told = [describe(whole.trials[number], units) for number in (0, 2, 7, 11)]
    assert told[0] == "t0000 (baseline): complete, 70.92%"
    assert told[1].startswith("t0002: pruned, rung 6, 5")
    assert told[1].endswith("% at epoch 6")
    assert told[2].startswith("t0007: fail, exception, ")
    assert told[3].startswith("t0011: fail, diverged, ")


def test_a_failure_before_the_first_epoch_has_no_value(made):
    snapshot = made("failed")
    assert describe(snapshot.trials[0], units_of(snapshot)) == ("t0000 (baseline): fail, exception")


def test_the_winner_is_known_by_its_number(whole):
    copy = dataclasses.replace(whole.trials[1])
    assert is_winner(copy, whole)
    assert not is_winner(whole.trials[0], whole)


def test_paused_is_not_stopped(whole):
    paused = dataclasses.replace(whole.trials[2], stop_reason="budget")
    assert (paused.shown_state, whole.trials[2].shown_state) == ("PAUSED", "PRUNED")
