from search.view.page.best import best_so_far


def test_the_best_rises_by_steps_and_stays_until_now(whole):
    (figure,) = best_so_far(whole).figures
    random, steps, points = figure.data
    assert random["name"] == "random search, expected"
    assert steps["line"]["shape"] == "hv"
    assert steps["x"][-1] == 248
    assert steps["y"][-1] == steps["y"][-2] == max(t.value for t in whole.trials if t.value)
    assert points["x"] == steps["x"][:-1]
    assert len(figure.labels) == len(points["x"])


def test_what_random_search_is_made_of_is_said(whole):
    assert "trials of this study that were drawn at random" in best_so_far(whole).render()


def test_without_a_complete_trial_there_is_a_sentence(made):
    section = best_so_far(made("failed"))
    assert section.figures == []
    assert "No trial is complete yet" in section.render()
