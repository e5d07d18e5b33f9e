import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from seresnet.data import Split
from seresnet.errors import DataError
from seresnet.mistakes import MOST_SHOWN, find_mistakes, read_mistakes, write_mistakes

ABOUT = {"at": "2026-11-28T12:00:00+00:00", "model_sha256": "ab", "test_sha256": "cd"}
NAMES = ("ant", "bee", "cow")
IMAGES = torch.arange(4 * 3 * 32 * 32).remainder(251).view(4, 3, 32, 32).to(torch.uint8)


def found(labels, shares, images=IMAGES):
    """What a model errs in that gives each class such a share."""
    test = Split(images[: len(labels)], torch.tensor(labels))
    logits = torch.tensor(shares).log()
    return find_mistakes(logits, test, class_names=NAMES, about=ABOUT)


@pytest.fixture
def mistakes():
    """Two of four are wrong: the third at 0.9, the second at 0.6."""
    shares = [[0.8, 0.1, 0.1], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]]
    return found([0, 1, 1, 2], shares)


def test_rows_of_the_confusion_are_the_truth(mistakes):
    assert mistakes.confusion == ((1, 0, 0), (1, 0, 1), (0, 0, 1))
    assert (mistakes.num_images, mistakes.num_wrong) == (4, 2)
    assert mistakes.accuracy_by_class == (1, 0, 1)


def test_a_class_without_images_has_no_accuracy():
    assert found([0], [[0.8, 0.1, 0.1]]).accuracy_by_class == (1, None, None)


def test_mistakes_are_the_most_confident_first(mistakes):
    told = [(m.index, m.label, m.predicted, m.probability) for m in mistakes.most_confident]
    assert told == [(2, 1, 0, 0.9), (1, 1, 2, 0.6)]


def test_equally_confident_mistakes_keep_their_order_and_few_are_kept():
    num = MOST_SHOWN + 6
    images = torch.zeros(num, 3, 32, 32, dtype=torch.uint8)
    mistakes = found([1] * num, [[0.8, 0.1, 0.1]] * num, images)
    assert [each.index for each in mistakes.most_confident] == list(range(MOST_SHOWN))
    assert mistakes.num_wrong == num


def test_each_mistake_holds_its_image_pixel_by_pixel(mistakes):
    file = io.BytesIO(base64.b64decode(mistakes.most_confident[0].png))
    assert (np.array(Image.open(file)) == IMAGES[2].permute(1, 2, 0).numpy()).all()


def test_a_model_without_mistakes_has_none():
    assert found([0, 1], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]).most_confident == ()


def test_the_file_comes_back_equal_and_tells_other_programs_the_accuracy(mistakes, tmp_path):
    write_mistakes(mistakes, tmp_path)
    assert read_mistakes(tmp_path) == mistakes
    content = json.loads((tmp_path / "mistakes.json").read_text())
    assert content["accuracy_by_class"] == [1, 0, 1]


def test_two_dozen_mistakes_of_noise_stay_small(tmp_path):
    images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    write_mistakes(found([1] * 40, [[0.8, 0.1, 0.1]] * 40, images), tmp_path)
    assert (tmp_path / "mistakes.json").stat().st_size < 120_000


def test_without_a_file_nothing_is_read(tmp_path):
    assert read_mistakes(tmp_path) is None


def change(key, value):
    def changed(content):
        content[key] = value

    return changed


def change_mistake(key, value):
    def changed(content):
        content["most_confident"][0][key] = value

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        change("confusion", [[1, 2], [3, 4]]),
        change("confusion", [[-1, 0, 2], [0, 1, 0], [0, 0, 1]]),
        change("confusion", [[0] * 3] * 3),
        change("confusion", [[float("inf"), 0, 0], [0] * 3, [0] * 3]),
        change("confusion", None),
        change("class_names", []),
        change("most_confident", [1]),
        change_mistake("label", 3),
        change_mistake("predicted", 1),  # its own class
        change_mistake("probability", 1.5),
        change_mistake("probability", float("nan")),
        change_mistake("png", '" onerror="alert(1)'),
        change_mistake("png", base64.b64encode(b"<svg onload='alert(1)'>").decode()),
    ],
)
def test_a_damaged_file_is_named(mistakes, tmp_path, damage):
    write_mistakes(mistakes, tmp_path)
    path = tmp_path / "mistakes.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"mistakes\.json: is damaged: ") as caught:
        read_mistakes(tmp_path)
    assert caught.value.hint == "move it away"


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\xff"])
def test_what_is_no_such_file_is_named(tmp_path, text):
    (tmp_path / "mistakes.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"mistakes\.json: is damaged"):
        read_mistakes(tmp_path)
