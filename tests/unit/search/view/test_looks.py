from pathlib import Path

from search.view.looks import describe_look
from seresnet.evaluation import Look


def test_a_look_is_told_in_a_line():
    measured = {"averaged": {"accuracy": 0.9541, "standard_error": 0.0021}}
    told = describe_look(Path("retrain/seed3/model.pt"), Look({"weights": measured}, None))
    assert told == "test set, seed3: 95.41% right (standard error 0.21%)"
