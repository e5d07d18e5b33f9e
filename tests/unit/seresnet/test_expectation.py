import pytest

from seresnet.expectation import TEAMS, expected_score

# A least-squares fit of the same six by NumPy has slope 0.804 and intercept -0.320.
FITTED = {0.94: 0.824, 0.95: 0.842, 0.96: 0.862, 0.97: 0.883, 0.975: 0.895, 0.98: 0.908}


@pytest.mark.parametrize(("accuracy", "score"), FITTED.items())
def test_the_line_is_that_of_the_six_teams(accuracy, score):
    assert expected_score(accuracy).score == pytest.approx(score, abs=6e-4)


@pytest.mark.parametrize(("accuracy", "score"), TEAMS)
def test_every_team_lies_in_its_interval(accuracy, score):
    expected = expected_score(accuracy)
    assert expected.low < score < expected.high


def test_the_interval_widens_away_from_the_teams():
    middle, edge = expected_score(0.955), expected_score(0.984)
    width = [each.high - each.low for each in (middle, edge)]
    assert 0.02 < width[0] < 0.05
    # on the probit axis, whose unit is smaller in accuracy where that is high
    assert expected_score(0.937).high - expected_score(0.937).low > width[0] > width[1] > 0.02


@pytest.mark.parametrize("accuracy", [0.1, 0.935, 0.987, 1.0])
def test_far_from_the_teams_nothing_is_expected(accuracy):
    assert expected_score(accuracy) is None
