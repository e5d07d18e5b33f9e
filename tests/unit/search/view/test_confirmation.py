import dataclasses

import pytest

from search.study.confirmation import Confirmation, Entrant
from search.study.contest import Terms
from search.view.confirmation import describe_confirmation

BASELINE = Entrant(
    trial="t0000", name="baseline", params={}, val_accuracy_in_search=0.91, values={}, mean=0.9
)
BEST = Entrant(
    trial="t0004", name="", params={}, val_accuracy_in_search=0.96, values={}, mean=0.95, gain=0.05,
    at_least=0.04, at_most=0.06, overstated=0.01,
)  # fmt: skip
LOST = Entrant(
    trial="t0007", name="", params={}, val_accuracy_in_search=0.94, values={}, error="diverged"
)


@pytest.fixture
def confirmation():
    return Confirmation(
        study="s", made="2026-11-28T12:00:00+00:00", number=1, rule="r", method="m",
        error_rate=0.05, terms=Terms(top=3, seeds=(11, 12), epochs=60), runs={},
        entrants=[BASELINE, LOST, BEST], winner="t0004", is_better=True, sentence="so it is",
        noise=0.001, degrees=1, critical=6.3, num_val=5000, image_error=0.005,
    )  # fmt: skip


def test_a_confirmation_is_a_table_the_terms_the_verdict_and_what_it_does_not_cover(confirmation):
    assert describe_confirmation(confirmation).splitlines() == [
        "confirmed  name      mean      gain     at least  in search  overstated",
        "t0004      -         0.9500    +0.0500  +0.0400   0.9600     +0.0100",
        "t0000      baseline  0.9000                       0.9100",
        "t0007      -         diverged                     0.9400",
        "seeds 11 12, 60 epochs each",
        "verdict: so it is",
        "not covered: the choice of these 5000 validation images, which adds a standard error of "
        "at most 0.50 points",
    ]


def test_where_nothing_is_shown_the_images_are_not_spoken_of(confirmation):
    shown = describe_confirmation(dataclasses.replace(confirmation, is_better=False))
    assert shown.splitlines()[-1] == "verdict: so it is"
