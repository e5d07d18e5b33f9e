import dataclasses

import pytest
import studies

from search.view.page.curves import MOST_POINTS, curves


def traces(snapshot):
    (figure,) = curves(snapshot).figures
    return {(trace["name"], trace["mode"]): trace for trace in figure.data}


def test_states_are_told_apart_by_colour_and_shape(whole):
    found = traces(whole)
    marks = {name: found[name, "markers"]["marker"] for name, mode in found if mode == "markers"}
    assert list(marks) == ["stopped early", "complete", "failed"]
    assert len({mark["symbol"] for mark in marks.values()}) == 3
    assert len({mark["color"]["role"] for mark in marks.values()}) == 3


def test_a_curve_ends_where_its_trial_was_stopped(whole):
    ends = traces(whole)["stopped early", "markers"]
    assert set(ends["x"]) == {6, 12}
    assert len(ends["x"]) == 17
    stopped = [trial for trial in whole.trials if trial.state == "PRUNED"]
    assert ends["y"] == [trial.value for trial in stopped]


def test_curves_of_one_state_are_one_trace_with_gaps(whole):
    lines = traces(whole)["stopped early", "lines"]
    assert lines["x"].count(None) == 17
    assert lines["x"][:7] == [1, 2, 3, 4, 5, 6, None]
    assert len(lines["x"]) == len(lines["y"]) == len(lines["customdata"])


def test_winner_and_baseline_have_lines_of_their_own(whole):
    found = traces(whole)
    assert found["winner, plain", "lines"]["line"]["width"] == 3
    assert found["baseline", "lines"]["line"]["dash"] == "dash"
    assert found["baseline", "lines"]["x"] == list(range(1, 21))


def test_rungs_are_lines_and_are_named(whole):
    section = curves(whole)
    (figure,) = section.figures
    assert [shape["x0"] for shape in figure.layout["shapes"]] == [6, 12]
    assert "stopped after epoch 6, 12, the dotted lines" in section.render()


def test_a_running_trial_is_shown_as_far_as_it_is(made):
    snapshot = made("running")
    begun = [trial for trial in snapshot.progress.running if trial.epochs]
    ends = traces(snapshot)["running", "markers"]
    assert ends["x"] == [len(trial.epochs) for trial in begun] != []


def test_a_paused_trial_was_not_stopped_for_good(whole):
    paused = [dataclasses.replace(t, stop_reason="budget") if t.state == "PRUNED" else t
              for t in whole.trials]  # fmt: skip
    found = traces(dataclasses.replace(whole, trials=paused))
    assert ("waits for a larger budget", "markers") in found
    assert ("stopped early", "markers") not in found


@pytest.mark.parametrize(("trials", "step"), [(100, 1), (1000, 6)])
def test_a_large_study_leaves_epochs_out_and_says_so(whole, trials, step):
    params = whole.trials[0].params
    epochs = {k: studies.result(0, params, k, 60) for k in range(1, 61)}
    many = [dataclasses.replace(whole.trials[2], number=k, state="COMPLETE", epochs=epochs)
            for k in range(trials)]  # fmt: skip
    section = curves(dataclasses.replace(whole, trials=many, winner=None))
    (figure,) = section.figures
    lines = figure.data[0]
    assert len(lines["x"]) <= MOST_POINTS + 3 * trials
    assert lines["x"][:3] == ([1, 2, 3] if step == 1 else [1, 6, 12])
    assert lines["x"][lines["x"].index(None) - 1] == 60
    assert ("one epoch in 6 is drawn" in section.render()) is (step == 6)


def test_the_steep_beginning_is_not_shown_at_first(whole):
    (figure,) = curves(whole).figures
    low, high = figure.layout["yaxis"]["range"]
    values = [e.val_accuracy for t in whole.trials for e in t.epochs.values()]
    assert min(values) < low < high
    assert max(values) < high


def test_before_the_first_epoch_there_is_a_sentence(made):
    section = curves(made("empty"))
    assert section.figures == []
    assert "No trial has finished an epoch yet." in section.render()
