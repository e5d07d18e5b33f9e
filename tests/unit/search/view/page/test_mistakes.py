"""The section of what the retrained model gets wrong, and each reason why there is none."""

import dataclasses
import re

import pytest

import fakes
from fakes import make_snapshot, trial
from looks import TEST, leave_model, take_look
from search.view.page.document import document
from search.view.page.html import Html
from search.view.page.mistakes import mistakes

NAMES = ("<b>", *"bcdefghij")
TRIALS = [trial(0, [0.5] * 4), trial(1, [0.6] * 4)]


@pytest.fixture
def snapshot(tmp_path):
    return make_snapshot(TRIALS, with_seeds(0), path=tmp_path / "mine")


def with_seeds(*seeds):
    return dataclasses.replace(
        fakes.CONFIG, retrain=dataclasses.replace(fakes.CONFIG.retrain, seeds=seeds)
    )


def looked_at(snapshot, *, predicted=None, **given):
    """Leave a model that names what is predicted, looked at once."""
    return take_look(leave_model(snapshot, **given), predicted=predicted, names=NAMES)


def shown(snapshot):
    return mistakes(snapshot).render()


def test_the_accuracies_of_every_seed_stand_in_a_table(tmp_path):
    snapshot = make_snapshot(TRIALS, with_seeds(0, 3), path=tmp_path / "mine")
    for seed in (0, 3):
        looked_at(snapshot, seed=seed)
    text = shown(snapshot)
    assert "What 2 retrained models did on 30 labelled test images, looked at on 2026-11-28" in text
    assert text.count("81.25%") == 4
    assert text.count("1.23 points") == 4
    assert "seed 3" in text


def test_a_confusion_is_counted_named_and_coloured_by_how_frequent_it_is(snapshot):
    predicted = TEST.labels.clone()
    ones, twos = (predicted == 1).nonzero().flatten(), (predicted == 2).nonzero().flatten()
    predicted[ones[0]] = 0
    predicted[twos] = 3
    looked_at(snapshot, predicted=predicted)
    text = shown(snapshot)
    assert "has 4 images wrong. Taken most often: c for d (3), b for &lt;b&gt; (1)." in text
    assert 'title="c taken for d: 3 of 3 (100.0%)">3</td>' in text
    assert 'class="wrong" style="--depth: 1.00"' in text
    assert 'class="wrong" style="--depth: 0.58"' in text  # a third, by its root
    assert 'class="right" style="--depth: 0.67" title="b recognised: 2 of 3 (66.7%)"' in text


def test_each_mistake_is_an_image_with_what_it_was_called_and_what_it_is(snapshot):
    predicted = TEST.labels.clone()
    at = int((predicted == 4).nonzero()[0])
    predicted[at] = 0
    looked_at(snapshot, predicted=predicted)
    text = shown(snapshot)
    (image,) = re.findall(r"<figure.*?</figure>", text)
    assert 'src="data:image/png;base64,iVBOR' in image
    assert f'alt="test image {at}: e, called &lt;b&gt; at 94.3%"' in image
    assert "<b>&lt;b&gt;</b><small>94.3%</small><small>is e</small>" in image


def test_a_model_without_mistakes_has_no_images(snapshot):
    looked_at(snapshot)
    text = shown(snapshot)
    assert "It has every image right." in text
    assert "has 0 images wrong. A row is" in text
    assert "<figure" not in text


def test_a_second_look_and_an_earlier_winner_are_told(snapshot):
    take_look(looked_at(snapshot, won="t0000"))
    text = shown(snapshot)
    assert "looked at again later: the first look counts" in text
    assert "of an earlier winner" in text


def test_what_was_not_kept_can_be_had_at_a_price(snapshot):
    take_look(leave_model(snapshot), is_kept=False)
    text = shown(snapshot)
    assert "81.25%" in text
    assert "a second look at the test set" in text
    assert "python -m seresnet evaluate --model retrain/seed0/model.pt" in text


def with_source(snapshot, source):
    config = snapshot.config
    data = dataclasses.replace(config.data, source=source)
    return dataclasses.replace(snapshot, config=dataclasses.replace(config, data=data))


def unseen(snapshot):
    folder = looked_at(snapshot)
    (folder / "evaluation.json").unlink()
    return snapshot


def submitted(snapshot):
    snapshot.folder.path.mkdir(parents=True)
    snapshot.folder.submission.write_text("ID,Labels\n")
    return snapshot


def damaged(snapshot):
    (looked_at(snapshot) / "evaluation.json").write_text("{")
    return snapshot


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda s: s, "The winner is not retrained yet", id="not-retrained"),
        pytest.param(
            lambda s: dataclasses.replace(s, winner=None), "No trial is complete", id="no-winner"
        ),
        pytest.param(lambda s: with_source(unseen(s), "cifar10"), "--download", id="cifar10"),
        pytest.param(submitted, "models are not in this folder", id="models-left-behind"),
        pytest.param(unseen, "was not tested yet", id="synthetic"),
        pytest.param(damaged, "retrain/seed0/evaluation.json: is damaged", id="damaged"),
        pytest.param(
            lambda s: dataclasses.replace(
                s, config=dataclasses.replace(s.config, trainable="mine:train")
            ),
            "A model of another trainable is not retrained here",
            id="foreign",
        ),
    ],
)
def test_without_a_look_a_sentence_says_why(snapshot, change, words):
    text = shown(change(snapshot))
    assert words in text
    assert "<img" not in text


def test_the_page_may_show_the_images_and_nothing_else_from_elsewhere(snapshot):
    predicted = (TEST.labels + 1) % 10
    looked_at(snapshot, predicted=predicted)
    page = document(title="mine", lead=Html(""), sections=[mistakes(snapshot)])
    assert "img-src data:" in page
    assert page.count("<img ") == 24
    assert set(re.findall(r'src="(.{22})', page)) == {"data:image/png;base64,"}
