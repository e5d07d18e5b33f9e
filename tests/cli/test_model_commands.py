"""`python -m seresnet predict`, `evaluate` and `export`, from the command line's side."""

import csv
import io
import json
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

from seresnet import __main__ as command
from seresnet import onnx_file, synthetic
from seresnet.data import CLASS_NAMES
from seresnet.mistakes import read_mistakes
from seresnet.model import SEResNet
from seresnet.model_file import save_model
from seresnet.predict import predict
from seresnet.run import run
from seresnet.synthetic import SHAPE_NAMES, make_synthetic

IMAGES = make_synthetic(num=3, seed=6).images


@pytest.fixture
def network(tiny_config):
    torch.manual_seed(0)
    made = SEResNet(channels=tiny_config.channels).train()
    made(torch.randn(16, 3, 32, 32))
    return made.eval()


@pytest.fixture
def model(network, tiny_config, tmp_path):
    save_model(network, tiny_config, tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, image in enumerate(IMAGES):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{index}, a photo.png")
    return folder


@pytest.fixture
def call(capsys):
    def called(*arguments):
        return command.main([str(each) for each in arguments]), *capsys.readouterr()

    return called


def shares_of(network, config, mirror=False):
    return predict(network, IMAGES, config=config, mirror=mirror).softmax(1)


@pytest.mark.parametrize("flags", [[], ["--mirror"]], ids=["plain", "mirrored"])
def test_predict_prints_the_name_and_probability_of_each_picture(
    call, model, photos, network, tiny_config, flags
):
    given = ("--model", model, "--images", photos, "--device", "cpu")
    code, stdout, _ = call("predict", *given, *flags)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(stdout)))
    best, classes = shares_of(network, tiny_config, bool(flags)).max(1)
    assert [row["image"] for row in rows] == [f"{k}, a photo.png" for k in range(3)]
    assert [row["label"] for row in rows] == [CLASS_NAMES[k] for k in classes]
    assert [float(row["probability"]) for row in rows] == pytest.approx(best.tolist(), abs=5e-5)


def test_predict_prints_every_class_when_asked(call, model, photos, network, tiny_config):
    given = ("--model", model, "--images", photos, "--all", "--device", "cpu")
    rows = list(csv.DictReader(io.StringIO(call("predict", *given)[1])))
    assert list(rows[0]) == ["image", "label", "probability", *CLASS_NAMES]
    printed = [[float(row[name]) for name in CLASS_NAMES] for row in rows]
    assert torch.allclose(torch.tensor(printed), shares_of(network, tiny_config), atol=6e-5)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bad.png", "bad.png: cannot read this picture: "),
        ("absent.jpg", "absent.jpg: cannot read this file: No such file"),
        ("text.txt", "text.txt: "),
    ],
)
def test_what_is_no_picture_is_exit_code_2_with_its_name(call, model, tmp_path, name, error):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG and no more")
    (tmp_path / "text.txt").write_text("hello")
    code, stdout, stderr = call("predict", "--model", model, "--images", tmp_path / name)
    assert (code, stdout) == (2, "")
    assert f"error: {tmp_path}/{error}" in stderr
    assert "\nhint: " in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("name", ["predict", "evaluate", "export"])
def test_a_file_that_is_no_model_is_exit_code_2(call, tmp_path, photos, name):
    (tmp_path / "model.pt").write_bytes(b"nothing")
    options = {"predict": ["--images", photos], "evaluate": ["--data", "synthetic"], "export": []}
    code, stdout, stderr = call(name, "--model", tmp_path / "model.pt", *options[name])
    assert (code, stdout) == (2, "")
    assert f"error: {tmp_path / 'model.pt'}: cannot load this model: " in stderr


@pytest.fixture
def few_tests(monkeypatch):
    test = make_synthetic(num=20, seed=1)
    monkeypatch.setattr(synthetic, "load_synthetic", lambda: (test, test))


def test_evaluate_prints_a_row_for_each_of_the_weights_and_updates_the_card(
    call, few_tests, tiny_config, tmp_path
):
    data, cpu = make_synthetic(num=32, seed=0), torch.device("cpu")
    list(run(tiny_config, data, None, folder=tmp_path, device=cpu, provenance={"data": "drawn"}))
    given = ("--model", tmp_path / "model.pt", "--data", "synthetic", "--device", "cpu")
    code, stdout, stderr = call("evaluate", *given)
    heading, *rows, evaluation, mistakes, card = stdout.splitlines()
    assert (code, stderr) == (0, "")
    assert [row.split()[0] for row in rows] == ["averaged", "last"]
    assert all(len(row.split()) == len(heading.split()) for row in rows)
    kept = json.loads((tmp_path / "evaluation.json").read_text())["evaluations"]
    assert float(rows[1].split()[1]) == kept[0]["weights"]["last"]["accuracy"]
    names = ("evaluation.json", "mistakes.json", "model_card.md")
    assert [evaluation, mistakes, card] == [str(tmp_path / name) for name in names]
    assert read_mistakes(tmp_path).class_names == SHAPE_NAMES
    assert "| test set of 20, " in (tmp_path / "model_card.md").read_text()


def test_evaluate_beside_damaged_metrics_says_so_and_keeps_what_it_found(
    call, few_tests, model, tmp_path
):
    (tmp_path / "metrics.json").write_text("{")
    given = ("--model", model, "--data", "synthetic", "--device", "cpu")
    code, _, stderr = call("evaluate", *given)
    assert code == 2
    assert f"error: {tmp_path / 'metrics.json'}: is damaged: " in stderr
    assert (tmp_path / "evaluation.json").is_file()


def test_evaluate_without_test_images_is_exit_code_2_with_a_remedy(call, model, tmp_path):
    code, _, stderr = call("evaluate", "--model", model, "--data", tmp_path)
    assert code == 2
    assert f"error: {tmp_path}: must hold CIFAR-10's test_batch" in stderr
    assert not (tmp_path / "evaluation.json").exists()


def test_export_prints_the_difference_and_the_path(call, model, monkeypatch):
    monkeypatch.setattr(onnx_file, "export", lambda *_: 3e-7)
    code, stdout, _ = call("export", "--model", model)
    assert code == 0
    assert re.match(r"largest difference .* on 256 images: 3\.0e-07 \(at most 0\.0001\)\n", stdout)
    assert stdout.endswith(f"{model.with_name('model.onnx')}\n")


def test_a_reader_that_has_enough_is_no_error(model, photos):
    typed = [sys.executable, "-m", "seresnet", "predict", "--model", model, "--images", photos]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
