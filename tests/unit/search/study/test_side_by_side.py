from fakes import make_snapshot, trial
from search.study.side_by_side import common_goal, courses, shared_epochs


def study(*finals, name="a"):
    """A study whose trials of four epochs came to their ends one after the other."""
    trials = [trial(k, [value] * 4) for k, value in enumerate(finals)]
    return make_snapshot(trials, path=f"results/{name}")


def test_the_best_so_far_counts_from_the_end_of_its_trial():
    (course,) = courses([study(0.5, 0.4, 0.7)])
    assert [course.value_at(epochs) for epochs in (3, 4, 11, 12, 99)] == [None, 0.5, 0.5, 0.7, 0.7]
    assert (course.epochs, course.final) == (12, 0.7)


def test_epochs_to_a_value_are_those_until_it_was_first_reached():
    (course,) = courses([study(0.5, 0.4, 0.7)])
    assert [course.epochs_to(value) for value in (0.3, 0.5, 0.6, 0.8)] == [4, 4, 12, None]


def test_equal_effort_is_what_the_shortest_study_has_spent():
    assert shared_epochs(courses([study(0.5, 0.6), study(0.5, 0.6, 0.7)])) == 8


def test_the_common_goal_is_the_lowest_of_the_finals():
    assert common_goal(courses([study(0.5, 0.6), study(0.7)])) == 0.6


def test_without_a_complete_trial_there_is_no_common_goal():
    open_ = make_snapshot([trial(0, [0.9], state="RUNNING")])
    found = courses([study(0.5), open_])
    assert common_goal(found) is None
    assert found[1].final is None
    assert shared_epochs(found) == 1
