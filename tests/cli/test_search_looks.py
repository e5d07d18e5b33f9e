"""The look at the labelled test set, as a stage of `search.retrain`, on made-up models."""

import pytest
import torch

from search import retrain
from search.study.dataset import LabelledTest
from seresnet.data import CLASS_NAMES, Unlabelled
from seresnet.evaluation import Look, keep_look
from seresnet.files import sha256_of
from seresnet.synthetic import make_synthetic

TEST = LabelledTest(make_synthetic(num=20, seed=4), CLASS_NAMES)


@pytest.fixture
def looks(monkeypatch):
    """The models that were looked at, in place of which nothing is computed."""
    seen = []

    def look(models, test, granted, observe):
        for model in models:
            measured = {"averaged": {"accuracy": 0.75, "standard_error": 0.1}}
            entry = {"at": "now", "model_sha256": sha256_of(model), "weights": measured}
            keep_look(Look(entry, None), model.parent)
            seen.append(model.parent.name)
            observe(model, Look(entry, None))

    monkeypatch.setattr("search.engine.looking.look", look)
    return seen


@pytest.fixture
def labelled(monkeypatch):
    def becomes(test):
        monkeypatch.setattr("search.study.dataset.load_labelled_test", lambda *_: test)

    return becomes


def test_the_test_set_is_looked_at_once_and_the_stage_is_told(
    folder, trained, labelled, looks, capsys
):
    labelled(TEST)
    assert retrain.main(["--study", str(folder.path)]) == 0
    told = capsys.readouterr().err
    assert "the only look at the test set, 20 images, is taken now\n" in told
    assert "test set, seed0: 75.00% right (standard error 10.00%)\n" in told
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert "done already" in capsys.readouterr().err
    assert looks == ["seed0"]


def test_labels_that_come_later_are_used_without_training_again(
    folder, trained, labelled, looks, capsys
):
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert "done already" in capsys.readouterr().err
    labelled(TEST)
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert looks == trained == ["seed0"]


def test_the_look_comes_before_the_submission_which_says_what_may_be_expected(
    folder, trained, labelled, looks, monkeypatch
):
    labelled(TEST)
    images = Unlabelled(TEST.images.images, torch.arange(20))
    monkeypatch.setattr("search.study.dataset.load_test_images", lambda *_: images)
    order = []

    def submit(study, ledger, wanted, granted):
        order.extend([*looks, wanted.path.name])

    monkeypatch.setattr("search.engine.submitting.submit", submit)
    assert retrain.main(["--study", str(folder.path)]) == 0
    assert order == ["seed0", "submission.csv"]
