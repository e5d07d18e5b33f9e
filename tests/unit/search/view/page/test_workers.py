from datetime import datetime, timedelta

import fakes
from search.study.records import Host, TrialRecord
from search.study.snapshot import Span
from search.view.page.workers import bounds_of, lanes_of, workers

NOON = datetime(2026, 11, 28, 12)


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def trial(number, node="a"):
    host = Host(node=node, device="cpu", dtype="float32", threads=1)
    return TrialRecord(number=number, params={}, host=host)


def test_a_trial_takes_the_first_place_that_is_free_on_its_node():
    trials = [trial(0), trial(1), trial(2), trial(3, "b"), trial(4)]
    bounds = {0: (at(0), at(10)), 1: (at(1), at(4)), 2: (at(4), at(9)), 3: (at(2), at(3)),
              4: (at(9), at(12))}  # fmt: skip
    assert lanes_of(trials, bounds) == {
        0: ("a", 0), 1: ("a", 1), 2: ("a", 1), 3: ("b", 0), 4: ("a", 1)
    }  # fmt: skip


def test_a_running_trial_lasts_until_the_newest_end_or_its_own_epochs():
    trials = [trial(0), trial(1), trial(2)]
    trials[2].epochs = {1: fakes.EpochResult(**{**vars_of(fakes.result(1, 0.5)), "seconds": 1200})}
    spans = {0: Span(at(0), at(10)), 1: Span(at(1), None), 2: Span(at(5), None)}
    ends = {number: end for number, (_, end) in bounds_of(trials, spans).items()}
    assert ends == {0: at(10), 1: at(10), 2: at(25)}


def vars_of(result):
    return {name: getattr(result, name) for name in result.__dataclass_fields__}


def test_each_state_is_one_trace_of_bars(whole):
    (figure,) = workers(whole).figures
    found = {trace["name"]: len(trace["y"]) for trace in figure.data}
    assert found == {"stopped early": 17, "complete": 5, "failed": 2}
    bar = figure.data[1]
    assert bar["base"][0] == "2026-11-28 09:00:00"
    assert bar["x"][0] == 120_000  # milliseconds
    assert len(figure.layout["yaxis"]["ticktext"]) == 3


def test_how_busy_the_workers_were_is_said(whole):
    assert "24 trials on 3 workers, from 2026-11-28 09:00 on" in workers(whole).render()
    assert "Epochs fill 8" in workers(whole).render()


def test_before_the_first_trial_there_is_a_sentence(made):
    section = workers(made("empty"))
    assert section.figures == []
    assert "No trial has run yet." in section.render()
