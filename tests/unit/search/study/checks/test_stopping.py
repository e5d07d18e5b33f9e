"""What stopping saved, and whether the values at the rung tell the final ones."""

import dataclasses

from fakes import CONFIG, make_snapshot, trial
from search.study.checks.check import Status
from search.study.checks.stopping import check_stopping
from search.study.policies import parse_rungs, with_budget

FIXED = with_budget(CONFIG, min_epochs=2, max_epochs=8)
AUTO = parse_rungs("auto").applied(FIXED)
NEVER = parse_rungs("none").applied(FIXED)
FINALS = [0.50, 0.56, 0.58, 0.60, 0.62, 0.64, 0.66, 0.68]


def curve(final, early=None):
    """Values that rise to the last one, in step with it unless an early one is given."""
    start = final - 0.2 if early is None else early
    return [start + (final - start) * max(0, epoch - 2) / 6 for epoch in range(1, 9)]


def study(config, whole, num_stopped=4):
    stopped = [
        trial(len(whole) + k, [0.1 + k / 100] * 2, state="PRUNED") for k in range(num_stopped)
    ]
    return make_snapshot([trial(n, each) for n, each in enumerate(whole)] + stopped, config)


def test_rungs_that_tell_the_end_pass_with_what_they_saved():
    found = check_stopping(study(AUTO, [curve(v) for v in FINALS]))
    assert found.status is Status.PASS
    assert "4 trials of 12 stopped early, which saved 24 of 96 epochs (25%)" in found.sentence
    assert "values at epoch 2, the first rung, tell the final ones: r 1.00" in found.sentence
    assert "over 8 whole curves" in found.sentence
    assert "the winner, t0007, was number 1 of 12 there" in found.sentence


def test_rungs_that_do_not_tell_the_end_are_a_warning():
    early = [0.3, 0.4, 0.2, 0.5, 0.1, 0.3, 0.2, 0.4]
    found = check_stopping(study(FIXED, [curve(v, e) for v, e in zip(FINALS, early, strict=True)]))
    assert found.status is Status.WARNING
    assert "may not tell the final ones" in found.sentence
    assert "6 of them had passed the rung, so they are no fair sample" in found.sentence
    assert found.advice.endswith("python -m search.replay --study results/demo --rungs auto")


def test_a_winner_that_was_exempt_and_would_have_been_stopped_is_a_warning():
    finals = [0.50, 0.56, 0.58, 0.60, 0.62, 0.64, 0.66, 0.661]
    whole = [curve(v) for v in finals]
    whole[-1] = curve(finals[-1], early=0.395)
    found = check_stopping(study(AUTO, whole, num_stopped=1))
    assert "the first rung, tell the final ones" in found.sentence  # safe by the correlation alone
    assert found.status is Status.WARNING
    assert "number 5 of 9 there, and would be stopped if all had been there" in found.sentence


def test_few_whole_curves_cannot_tell_the_risk():
    found = check_stopping(study(FIXED, [curve(v) for v in FINALS[:3]]))
    assert found.status is Status.WARNING
    assert "fewer than 4 whole curves cannot tell what that risked" in found.sentence


def test_where_nobody_was_stopped_nothing_is_risked():
    for config, said in (
        (NEVER, "this study stops no trial early"),
        (FIXED, "no trial was stopped early: nothing saved, nothing risked"),
        (AUTO, "(rungs: auto, decided after 8 whole trials)"),
    ):
        found = check_stopping(study(config, [curve(0.5)], num_stopped=0))
        assert found.status is Status.PASS
        assert said in found.sentence


def test_trials_that_wait_for_a_budget_were_not_stopped():
    waiting = trial(1, [0.2] * 3, state="PRUNED", reason="budget")
    snapshot = make_snapshot([trial(0, curve(0.5)), waiting], FIXED)
    assert check_stopping(snapshot).status is Status.PASS
    stopped = dataclasses.replace(waiting, stop_reason="rung 3")
    assert check_stopping(make_snapshot([trial(0, curve(0.5)), stopped], FIXED)).status is (
        Status.WARNING
    )
