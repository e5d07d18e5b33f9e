import pytest

from search.study.checks.wording import count
from search.view.page.units import duration, sentence, setting, units_of


def test_accuracies_are_per_cent_and_their_differences_points(whole):
    units = units_of(whole)
    assert (units.value(0.6882), units.difference(-0.0012)) == ("68.82%", "-0.12 points")
    assert (units.value(None), units.difference(None), units.signed(0.01)) == ("-", "-", "+1.00")


@pytest.mark.parametrize(
    ("seconds", "told"), [(7.4, "7 s"), (89, "89 s"), (91, "2 min"), (7200, "2.0 hours")]
)
def test_a_time_is_told_as_a_person_does(seconds, told):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all are well", "All are well."),
        ("train/validation gap: 3", "Train/validation gap: 3."),
        ("space.dropout is low", "space.dropout is low."),
        ("t0003 is best", "t0003 is best."),
        ("weight_decay is low.", "weight_decay is low."),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_with_a_name(text, said):
    assert sentence(text) == said


def test_numbers_and_nouns():
    assert (count(1, "trial"), count(2000, "trial")) == ("1 trial", "2,000 trials")
    assert (setting(1e-5), setting(0.123456), setting(8.0)) == ("1e-05", "0.1235", "8")
