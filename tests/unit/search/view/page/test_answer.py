import dataclasses
import re
from datetime import UTC, datetime

import pytest
import studies

from search.view.page.answer import lead

AT = datetime(2026, 11, 28, 15, 20, tzinfo=UTC)


def words(snapshot):
    return re.sub(r"\n+", "\n", re.sub(r"<[^>]*>", "\n", lead(snapshot, AT)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("whole", ["t0001 is shown to be better than the baseline.", "By 0.90 points in the mean",
                   "Confirmed gain\n+0.90 points\nat least +0.66 points", "Done", "248 epochs",
                   "of 480 without stopping", "9 runs of 20 epochs", "Not covered: the choice"]),
        ("running", ["above the baseline in the search.", "This is not confirmed", "3 running",
                     "not yet proof"]),
        ("single", ["The baseline itself is the best so far, at 70.39%.", "1 trial: 1 complete"]),
        ("failed", ["No result yet: of 4 trials, none is complete.", "4 trials: 4 fail"]),
        ("empty", ["No trial has been begun yet.", "Not finished", "no trial; of 24 in all"]),
    ],
    ids=["confirmed", "running", "baseline alone", "all failed", "empty"],
)  # fmt: skip
def test_the_answer_stands_first(made, kind, said):
    text = words(made(kind))
    for each in said:
        assert each in text


def test_the_verdict_is_one_line_and_its_numbers_another(whole):
    verdict, numbers, *_ = re.findall(r"<p class=\"(?:verdict|more)\">(.*?)</p>", lead(whole, AT))
    assert verdict == "t0001 is shown to be better than the baseline."
    assert numbers.startswith("By 0.90 points")
    assert numbers.endswith("; the search had overstated it by 0.09.")


def test_the_moment_is_told(whole):
    assert "As the study stood on 2026-11-28 at 15:20 UTC." in words(whole)


def test_settings_stand_beside_the_baselines_and_the_range(whole):
    assert "weight_decay\n0.0005\n0.0005\n1e-05 to 0.005, log" in words(whole)


def test_what_is_stale_is_said_and_does_not_count(whole):
    text = words(dataclasses.replace(whole, confirmation=None, ablation=None))
    assert "t0001 (plain) reaches 71.46%" in text
    assert "There is a confirmation, but of an earlier state of the study" in text
    assert "There is an ablation, but of an earlier winner" in text


def test_a_winner_that_is_the_baseline_has_no_gain(whole):
    confirmation = dataclasses.replace(
        whole.confirmation, winner="t0000", is_better=False,
        sentence="not shown to be better: the baseline is the highest in the mean of 3 seeds",
    )  # fmt: skip
    text = words(dataclasses.replace(whole, confirmation=confirmation, winner=whole.trials[0]))
    assert "Not shown to be better.\nThe baseline is the highest in the mean of 3 seeds." in text
    assert "Confirmed gain\nnone\nthe baseline is the highest" in text
    assert "Search\nDone\n" in text


def test_a_used_budget_is_said(whole):
    progress = dataclasses.replace(whole.progress, budget="the budget of 9 epochs is used")
    assert "Budget used" in words(dataclasses.replace(whole, progress=progress))


def test_another_trainable_has_no_percent(whole):
    config = dataclasses.replace(whole.config, trainable="mine")
    text = words(dataclasses.replace(whole, config=config, confirmation=None))
    assert "t0001 (plain) reaches 0.71462" in text
    assert "search.confirm" not in text
    assert "%" not in text


def test_a_folder_elsewhere_is_not_told_by_its_path(tmp_path):
    text = words(studies.snapshot_of(studies.running, tmp_path / "far" / "away" / "mine"))
    assert str(tmp_path) not in text


def test_a_confirmation_is_proposed_once_the_search_is_at_its_end(made, whole):
    assert "search.confirm" not in words(made("running"))
    assert "search.confirm" not in words(made("single"))
    assert "search.confirm" not in words(whole)
    assert "python -m search.confirm --study " in words(
        dataclasses.replace(whole, confirmation=None)
    )
