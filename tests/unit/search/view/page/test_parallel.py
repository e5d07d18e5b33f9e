import dataclasses
import math

from search.view.page.parallel import parallel


def test_lines_are_in_svg_binned_by_value_the_winner_on_top(whole):
    (figure,) = parallel(whole).figures
    assert {trace["type"] for trace in figure.data} == {"scatter"}
    names = [trace["name"] for trace in figure.data]
    assert names == ["stopped early", "lowest fifth", "second", "middle", "fourth", "highest fifth",
                     "winner"]  # fmt: skip
    assert sum(trace["x"].count(None) for trace in figure.data[1:-1]) == 5


def test_axes_go_from_the_least_to_the_most_searched_on_their_own_scale(whole):
    (figure,) = parallel(whole).figures
    winner = figure.data[-1]
    assert winner["x"] == [0, 1, 2, 3, 4, 5, None]
    decay = (math.log10(5e-4) - -5) / (math.log10(5e-3) - -5)
    assert winner["y"][:4] == [0, 0, 0.25, decay]
    assert figure.layout["xaxis"]["ticktext"][-1] == "value"
    ends = [each["text"] for each in figure.layout["annotations"]]
    assert ends[6:8] == ["1e-05", "0.005 log"]


def test_stopped_trials_have_no_value(whole):
    (figure,) = parallel(whole).figures
    assert max(x for x in figure.data[0]["x"] if x is not None) == 4


def test_a_fixed_hyperparameter_lies_in_the_middle(whole):
    fixed = dataclasses.replace(whole.config.space["dropout"], low=0.0, high=0.0)
    config = dataclasses.replace(
        whole.config, space={**whole.config.space, "dropout": fixed},
        baseline={**whole.config.baseline, "dropout": 0.0},
    )  # fmt: skip
    (figure,) = parallel(dataclasses.replace(whole, config=config)).figures
    assert figure.data[-1]["y"][0] == 0.5


def test_two_trials_are_too_few(made):
    section = parallel(made("single"))
    assert section.figures == []
    assert "too few" in section.render()
