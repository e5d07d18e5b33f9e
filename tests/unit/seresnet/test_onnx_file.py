"""The ONNX file answers as the model does, to bytes, in any number."""

import sys

import pytest
import torch

from seresnet import onnx_file
from seresnet.data import CLASS_NAMES
from seresnet.files import sha256_of
from seresnet.model import SEResNet
from seresnet.model_file import save_model
from seresnet.onnx_file import MAX_DIFFERENCE, ExportError, export
from seresnet.predict import predict
from seresnet.synthetic import make_synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture
def network(tiny_config):
    torch.manual_seed(0)
    made = SEResNet(channels=tiny_config.channels).train()
    made(torch.randn(16, 3, 32, 32) * 3 + 1)  # moves the statistics of the norms
    return made.eval()


@pytest.fixture
def exported(folder, network, tiny_config):
    """The ONNX file and the difference that was reported; made once, it takes seconds."""
    if not (folder / "model.onnx").exists():
        save_model(network, tiny_config, folder / "model.pt")
        difference = export(folder / "model.pt", folder / "model.onnx")
        (folder / "difference").write_text(repr(difference))
    return folder / "model.onnx", float((folder / "difference").read_text())


def test_the_difference_is_small_and_not_zero_by_mistake(exported):
    assert 0 <= exported[1] <= MAX_DIFFERENCE


@pytest.mark.parametrize("num", [1, 7])
def test_bytes_in_give_pytorchs_logits_out(exported, network, tiny_config, num):
    import onnxruntime

    images = make_synthetic(num=num, seed=9).images
    session = onnxruntime.InferenceSession(exported[0], providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    expected = predict(network, images, config=tiny_config)
    torch.testing.assert_close(torch.from_numpy(logits), expected, atol=MAX_DIFFERENCE, rtol=0)


def test_the_file_says_what_goes_in_and_comes_out_and_what_made_it(exported, tiny_config):
    import onnx

    path, _ = exported
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    facts = {each.key: each.value for each in proto.metadata_props}
    assert facts["classes"].split(",") == list(CLASS_NAMES)
    assert facts["model_sha256"] == sha256_of(path.with_name("model.pt"))
    assert facts["config_sha256"] == tiny_config.fingerprint()
    assert "normalised inside" in facts["input"]
    assert "/" not in str(sorted(facts))  # no place of the machine that made it


def test_a_file_that_answers_otherwise_is_not_written(exported, tmp_path, monkeypatch):
    model, out = exported[0].with_name("model.pt"), tmp_path / "model.onnx"
    content = exported[0].read_bytes()

    class Proto:
        SerializeToString = staticmethod(lambda: content)
        metadata_props = ()

    monkeypatch.setattr(onnx_file, "_convert", lambda *_: Proto)
    monkeypatch.setattr("onnx.helper.set_model_props", lambda *_: None)
    real = onnx_file.predict
    monkeypatch.setattr(onnx_file, "predict", lambda *a, **k: real(*a, **k) + 2 * MAX_DIFFERENCE)
    with pytest.raises(ExportError, match=r"not written: its logits differ .* by 0\.000") as caught:
        export(model, out)
    assert caught.value.exit_code == 1
    assert not out.exists()


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_one_line_with_what_to_install(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=f"export: the package {package} is missing") as caught:
        export(tmp_path / "model.pt", tmp_path / "model.onnx")
    assert caught.value.hint == 'pip install -e ".[onnx]"'
