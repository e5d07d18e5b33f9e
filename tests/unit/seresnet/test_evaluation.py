"""Every look at the test set is measured, dated and kept."""

import json
from datetime import UTC, datetime

import pytest
import torch

from seresnet import evaluation
from seresnet.errors import DataError
from seresnet.evaluation import earlier_looks, evaluate_model, read_evaluations
from seresnet.files import sha256_of
from seresnet.mistakes import read_mistakes
from seresnet.model import SEResNet
from seresnet.model_file import load_model, save_model
from seresnet.predict import predict
from seresnet.synthetic import make_synthetic

CPU = torch.device("cpu")
TEST = make_synthetic(num=50, seed=3)


@pytest.fixture
def folder(tmp_path, tiny_config):
    """Two models, as a run leaves them."""
    for seed, name in enumerate(("model.pt", "last.pt")):
        torch.manual_seed(seed)
        save_model(SEResNet(channels=tiny_config.channels), tiny_config, tmp_path / name)
    return tmp_path


def test_both_weights_are_measured_with_and_without_mirror_averaging(folder, tiny_config):
    found = evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert found["weights"].keys() == {"averaged", "last"}
    torch.manual_seed(1)
    last = SEResNet(channels=tiny_config.channels)
    for suffix, mirror in (("", False), ("_mirrored", True)):
        right = predict(last, TEST.images, config=tiny_config, mirror=mirror).argmax(1)
        accuracy = (right == TEST.labels).double().mean().item()
        measured = found["weights"]["last"]
        assert measured[f"accuracy{suffix}"] == accuracy
        error = (accuracy * (1 - accuracy) / 50) ** 0.5
        assert measured[f"standard_error{suffix}"] == pytest.approx(error)


def test_what_was_found_is_kept_with_its_date_and_hashes(folder):
    found = evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert read_evaluations(folder) == [found]
    assert found["model_sha256"] == sha256_of(folder / "model.pt")
    assert found["num_images"] == 50
    age = datetime.now(UTC) - datetime.fromisoformat(found["at"])
    assert 0 <= age.total_seconds() < 600


def test_a_second_look_is_kept_too_and_warned_of(folder, caplog):
    first = evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert caplog.text == ""
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert f"the test set was looked at before ({first['at'][:10]})" in caplog.text
    assert len(read_evaluations(folder)) == 2


def test_a_look_at_the_end_of_training_counts(folder, caplog):
    (folder / "metrics.json").write_text('{"test_accuracy": 0.5}')
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert "looked at before (at the end of its training)" in caplog.text


def test_a_first_look_at_another_model_in_the_folder_is_no_second_look(folder, caplog):
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    found = evaluate_model(folder / "last.pt", TEST, device=CPU)
    assert found["weights"].keys() == {"last"}
    assert caplog.text == ""


def test_without_last_weights_the_averaged_ones_are_measured_alone(folder):
    (folder / "last.pt").unlink()
    assert evaluate_model(folder / "model.pt", TEST, device=CPU)["weights"].keys() == {"averaged"}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"evaluations": [{}]}', '{"evaluations": [1]}', '{"evaluations": null}']
)
def test_a_damaged_record_is_named_and_not_written_over(folder, content):
    (folder / "evaluation.json").write_text(content)
    with pytest.raises(DataError, match=r"evaluation\.json: is damaged"):
        evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert (folder / "evaluation.json").read_text() == content


def test_the_record_is_json_that_other_programs_read(folder):
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    content = json.loads((folder / "evaluation.json").read_text())
    assert list(content) == ["evaluations"]


def test_mistakes_are_those_of_the_averaged_weights_as_they_are(folder, tiny_config):
    entry = evaluate_model(folder / "model.pt", TEST, device=CPU)
    kept = read_mistakes(folder)
    assert (kept.model_sha256, kept.at) == (entry["model_sha256"], entry["at"])
    assert 1 - kept.num_wrong / 50 == pytest.approx(entry["weights"]["averaged"]["accuracy"])
    network, _ = load_model(folder / "model.pt")
    predicted = predict(network, TEST.images, config=tiny_config).argmax(1)
    for each in kept.most_confident:
        assert (each.label, each.predicted) == (TEST.labels[each.index], predicted[each.index])


def test_a_look_at_the_last_weights_alone_leaves_the_mistakes_of_the_others(folder):
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    before = (folder / "mistakes.json").read_bytes()
    evaluate_model(folder / "last.pt", TEST, device=CPU)
    assert (folder / "mistakes.json").read_bytes() == before


def test_a_kill_before_the_record_leaves_the_look_to_be_taken(folder, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert (folder / "mistakes.json").is_file()
    assert earlier_looks(folder / "model.pt") == []
    evaluate_model(folder / "model.pt", TEST, device=CPU)
    assert len(earlier_looks(folder / "model.pt")) == 1
