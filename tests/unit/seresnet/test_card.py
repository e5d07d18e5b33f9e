"""The model card says what a run was, and its code loads the model."""

import re
from dataclasses import replace

import pytest
import torch
from PIL import Image

from seresnet.card import write_card
from seresnet.evaluation import evaluate_model
from seresnet.run import read_metrics, run
from seresnet.synthetic import make_synthetic

CPU = torch.device("cpu")
PROVENANCE = {
    "study": "f" * 32, "trial": "t0012", "val_accuracy_in_search": 0.6891,
    "baseline_val_accuracy": 0.6654, "commit": "0123abc", "dirty": False,
    "data": {"source": "cifar10", "files": {"data_batch_1": {"published": False}}},
}  # fmt: skip


@pytest.fixture
def trained(tiny_config, tmp_path):
    """The folder of a run that ended."""
    data = make_synthetic(num=64, seed=1)
    config = replace(tiny_config, dropout=0.1, nesterov=True, seed=4)
    list(run(config, data, None, folder=tmp_path, device=CPU, provenance=PROVENANCE))
    return tmp_path


def test_the_code_on_the_card_loads_the_model_and_names_what_is_on_a_picture(
    trained, monkeypatch, capsys
):
    (code,) = re.findall(r"```python\n(.*?)```", (trained / "model_card.md").read_text(), re.S)
    assert len([line for line in code.splitlines() if line]) <= 10
    pixels = make_synthetic(num=1, seed=2).images[0].permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(trained / "photo.png")
    monkeypatch.chdir(trained)
    exec(code, {})
    assert re.fullmatch(r"\['[a-z]+'\]\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "row",
    [
        "| `dropout` | **0.1** |", "| `nesterov` | **True** |", "| `seed` | **4** |",
        "| `lr` | 0.1 |", "| source | cifar10 |", "| images trained on | 64 |",
        "| files | 0 of 1 are the published ones, byte for byte |",
        "| validation accuracy in the search, by which it was chosen | 68.91% |",
        "| validation accuracy of the search's baseline | 66.54% |", "| test set | not looked at |",
        "| code | commit `0123abc` |", f"| search | study `{'f' * 32}`, trial t0012 |",
    ],
)  # fmt: skip
def test_the_card_says_where_the_model_comes_from(trained, row):
    assert row in (trained / "model_card.md").read_text().splitlines()


def test_the_card_holds_the_hashes_of_model_settings_and_images(trained):
    card, metrics = (trained / "model_card.md").read_text(), read_metrics(trained)
    assert all(metrics[key] in card for key in ("model_sha256", "config_sha256", "train_sha256"))


def test_the_card_shows_each_look_at_the_test_set_at_this_model_alone(trained):
    test = make_synthetic(num=40, seed=3)
    found = evaluate_model(trained / "model.pt", test, device=CPU)
    evaluate_model(trained / "last.pt", test, device=CPU)
    write_card(trained, read_metrics(trained))
    card = (trained / "model_card.md").read_text()
    averaged = found["weights"]["averaged"]
    shown = f"{averaged['accuracy']:.2%} (standard error {averaged['standard_error']:.2%})"
    day = found["at"][:10]
    assert f"| test set of 40, {day}, averaged weights | {shown} |" in card
    assert card.count("test set of 40") == 4  # two weights, mirrored and not
    assert "not looked at" not in card
