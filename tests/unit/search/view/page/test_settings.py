from search.view.page.settings import settings


def test_each_hyperparameter_has_a_picture_with_its_scale(whole):
    figures = settings(whole).figures
    titles = [figure.layout["xaxis"]["title"]["text"] for figure in figures]
    assert titles == list(whole.config.space)
    scales = [figure.layout["xaxis"]["type"] for figure in figures]
    assert scales == ["linear", "linear", "linear", "log", "linear"]


def test_trials_without_a_final_value_stand_in_a_strip(whole):
    figure = settings(whole).figures[0]
    found = {trace["name"]: trace for trace in figure.data}
    assert list(found) == ["complete", "baseline", "winner", "stopped early", "failed"]
    assert found["stopped early"]["yaxis"] == found["failed"]["yaxis"] == "y2"
    assert (len(found["stopped early"]["x"]), len(found["failed"]["x"])) == (17, 2)
    assert found["winner"]["x"] == [0.0]
    assert found["baseline"]["y"] == [whole.baseline]
    assert figure.layout["yaxis"]["domain"][0] > figure.layout["yaxis2"]["domain"][1]


def test_where_all_are_complete_there_is_no_strip(made):
    figure = settings(made("single")).figures[0]
    assert figure.layout["yaxis"]["domain"] == [0, 1]
    assert figure.layout["shapes"] == []


def test_without_a_complete_trial_there_is_a_sentence(made):
    section = settings(made("failed"))
    assert section.figures == []
    assert "No trial is complete yet" in section.render()
