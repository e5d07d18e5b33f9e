"""Commands that can be typed wherever the study was moved, and words for numbers."""

import pytest

from fakes import make_snapshot, trial
from search.study.checks.wording import called, command, count, percent


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("results/demo", "results/demo"),
        ("demo", "demo"),
        ("../other/demo", "../other/demo"),
        ("/home/ada/results/demo", "results/demo"),
        ("/demo", "demo"),
    ],
)
def test_a_command_names_no_absolute_path(path, said):
    snapshot = make_snapshot(path=path)
    assert command(snapshot, "confirm") == f"python -m search.confirm --study {said}"


def test_a_command_has_its_flags():
    text = command(make_snapshot(), "replay", "--rungs auto")
    assert text == "python -m search.replay --study results/demo --rungs auto"


def test_words_for_numbers():
    assert [count(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
    assert percent(0.68804) == "68.80%"
    assert called(trial(1, [], name="plain")) == "t0001 (plain)"
    assert called(trial(12, [])) == "t0012"
