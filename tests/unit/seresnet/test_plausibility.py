import pytest
import torch

from seresnet.plausibility import agreement, doubts

EVEN = [1000] * 10


def test_agreement_is_the_share_of_equal_labels():
    first, second = torch.eye(10), torch.eye(10)
    second[:3] = second[3]
    assert agreement(first, 5 * second) == pytest.approx(0.7)


@pytest.mark.parametrize(
    "histogram",
    [
        pytest.param(EVEN, id="even"),
        pytest.param([812, 1211, 1000, 1000, 977, 1000, 1000, 1000, 1000, 1000], id="a-teams"),
        pytest.param([1, 2, 0, 1, 1, 1, 1, 1, 1, 1], id="few-images"),
    ],
)
def test_a_usual_histogram_raises_no_doubt(histogram):
    assert doubts(histogram, [0.9, 0.85], 0.95) == []


def test_a_class_that_is_hardly_given_raises_a_doubt():
    assert doubts([100, 1900, *EVEN[2:]], [], 0.95) == [
        "class 0 was given 100 times, where 700 to 1300 would be usual",
        "class 1 was given 1900 times, where 700 to 1300 would be usual",
    ]


def test_a_weak_model_may_mistake_one_class_for_another():
    histogram = [50, 150, *[100] * 8]
    assert len(doubts(histogram, [], 0.95)) == 2
    assert doubts(histogram, [], 0.82) == []


@pytest.mark.parametrize(
    ("share", "accuracy", "num_doubts"),
    [(0.79, 0.95, 1), (0.81, 0.95, 0), (0.40, 0.60, 0), (0.35, 0.60, 1)],
)
def test_agreement_is_held_against_what_the_accuracy_lets_expect(share, accuracy, num_doubts):
    assert len(doubts(EVEN, [share], accuracy)) == num_doubts
