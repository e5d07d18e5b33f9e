import dataclasses

import pytest

from search.study.progress import progress_of
from search.study.records import Host
from search.study.stages import Stage
from search.view.screen import Fact, search_screen, stage_screen

TIMES = ["0:01:00 elapsed, at most 0:02:00 left (done by 12:03)", "0:02:00 left, 12:03"]


def lines_of_workers(lines):
    return [line for line in lines if line.startswith(("t0003", "t0004", "t0005"))]


def test_each_who_works_has_a_line_with_a_bar_and_a_speed(busy, shown):
    assert shown(search_screen(progress_of(busy), times=TIMES), 80) == [
        "epochs  ━━━━━━━━━━━━━╸━━━━━━━━━━  12 of at most 21 epochs",
        "trials  3/6 trials (2 complete, 1 fail, 3 running)",
        "best    t0001 0.7000, +0.3000 over the baseline",
        "speed   3,000 images/s by 3 at once",
        "time    0:01:00 elapsed, at most 0:02:00 left (done by 12:03)",
        *(f"t000{n}  ━━━━━━╺━━━━━━━━━━━━━━━━━  1/4  0.6000  1,000 images/s" for n in (3, 4, 5)),
    ]


def test_a_wide_terminal_shows_the_same(busy, shown):
    screen = search_screen(progress_of(busy), times=TIMES)
    assert shown(screen, 200) == shown(screen, 80)


def test_a_narrow_terminal_shows_less_and_folds_nothing(busy, shown):
    assert shown(search_screen(progress_of(busy), times=TIMES), 40) == [
        "epochs  12 of at most 21 epochs",
        "trials  3/6 trials",
        "best    t0001 0.7000, +0.3000",
        "speed   3,000 images/s by 3 at once",
        "time    0:02:00 left, 12:03",
        *(f"t000{n}  ━━━━━╺━━━━━━━━━━━━━━  1/4  0.6000" for n in (3, 4, 5)),
    ]


@pytest.mark.parametrize("width", range(1, 40))
def test_no_terminal_is_too_narrow(busy, shown, width):
    lines = shown(search_screen(progress_of(busy), times=TIMES), width)
    if width >= 10:
        assert len(lines_of_workers(lines)) == 3


@pytest.mark.parametrize(
    ("height", "num_shown"), [(1, 1), (6, 1), (7, 1), (8, 1), (9, 2), (10, 3), (11, 3)]
)
def test_a_low_terminal_shows_the_first_and_how_many_more(busy, shown, height, num_shown):
    lines = shown(search_screen(progress_of(busy), times=TIMES), 80, height=height)
    assert [line[:5] for line in lines_of_workers(lines)] == ["t0003", "t0004", "t0005"][:num_shown]
    more = 3 - num_shown
    assert lines[-1] == f"and {more} more" if more else lines[-1].startswith("t0005")


def test_what_is_printed_once_is_not_cut(busy, shown):
    screen = search_screen(progress_of(busy), times=TIMES, is_cut=False)
    assert len(lines_of_workers(shown(screen, 80, height=3))) == 3


def test_names_show_where_there_is_room_and_nodes_where_there_are_several(ledger, run, shown):
    run(ledger, 0.5)
    run(ledger, 0.5)
    lines = shown(search_screen(progress_of(ledger), times=TIMES), 200)
    assert [line.split()[-1] for line in lines[-2:]] == ["baseline", "plain"]
    for trial, node in zip(ledger.trials, ("first", "second"), strict=True):
        trial.host = Host(node=node, device="cpu", dtype="float32", threads=1)
    lines = shown(search_screen(progress_of(ledger), times=TIMES), 200)
    assert [line.split()[-2:] for line in lines[-2:]] == [
        ["baseline", "first"],
        ["plain", "second"],
    ]


def test_without_colours_nothing_is_lost_but_the_rest_of_the_bars(busy, shown, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    lines = shown(search_screen(progress_of(busy), times=TIMES), 80)
    assert lines[0] == "epochs  ━━━━━━━━━━━━━╸            12 of at most 21 epochs"
    assert lines[-1] == "t0005  ━━━━━━                    1/4  0.6000  1,000 images/s"


@pytest.mark.parametrize("options", [{"force_terminal": False}, {"dumb": True}], ids=str)
def test_where_nothing_can_be_drawn_there_are_no_bars(busy, shown, monkeypatch, options):
    if options.pop("dumb", False):
        monkeypatch.setenv("TERM", "dumb")
    text = "\n".join(shown(search_screen(progress_of(busy), times=TIMES), 80, **options))
    assert text.isascii()
    assert "t0005  1/4  0.6000  1,000 images/s" in text


def test_a_study_of_no_trials_yet_can_be_shown(ledger, shown):
    lines = shown(search_screen(progress_of(ledger), times=TIMES), 40)
    assert lines == [
        "epochs  0 of at most 24 epochs",
        "trials  0/6 trials",
        "best    no full trial yet",
        "time    0:02:00 left, 12:03",
    ]


def test_a_sentence_is_folded_and_not_cut(busy, shown):
    said = "the budget of 9 hours is used: 2 trials wait; raise study.max_hours"
    progress = dataclasses.replace(progress_of(busy), budget=said)
    text = " ".join(" ".join(shown(search_screen(progress, times=TIMES), 40)).split())
    assert f"budget {said}" in text


@pytest.fixture
def stage(result):
    """Three runs of four epochs, two at once: one done, one in its second epoch, one to come."""
    epochs = {"seed0": 4, "seed1": 4, "seed2": 4}
    stage = Stage("retrain", ()).begun(epochs, (), 2).trained("seed0", result(4), 4)
    return stage.trained("seed2", dataclasses.replace(result(2), val_accuracy=None), 4)


def test_a_stage_shows_its_runs_those_that_work_first(stage, shown):
    assert shown(stage_screen(stage, times=TIMES, whose=Fact("best", ["t0001 0.7000"])), 80) == [
        "retrain  ━━━━━━━━━━━━╺━━━━━━━━━━━  1/3 runs, 6 of 12 epochs",
        "best     t0001 0.7000",
        "speed    1,000 images/s",
        "time     0:01:00 elapsed, at most 0:02:00 left (done by 12:03)",
        "seed2  ━━━━━━━━━━━━╺━━━━━━━━━━━  2/4  1.2500  1,000 images/s",
        "seed0  ━━━━━━━━━━━━━━━━━━━━━━━━  4/4  0.5000",
    ]


def test_a_stage_on_a_narrow_terminal(stage, shown):
    assert shown(stage_screen(stage, times=TIMES), 40) == [
        "retrain  1/3 runs, 6 of 12 epochs",
        "speed    1,000 images/s",
        "time     0:02:00 left, 12:03",
        "seed2  ━━━━━━━━━━╺━━━━━━━━━  2/4  1.2500",
        "seed0  ━━━━━━━━━━━━━━━━━━━━  4/4  0.5000",
    ]
