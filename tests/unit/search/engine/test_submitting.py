import dataclasses
import json
import shutil

import pytest
import torch
from optuna.storages import InMemoryStorage

import fakes
from search.engine import submitting
from search.engine.delivery import unfinished_jobs
from search.engine.grants import Grant
from search.engine.submitting import Order, is_submitted, refuse_other, submit
from search.study.errors import DamagedStudyError
from search.study.ledger import Ledger
from seresnet.data import Unlabelled
from seresnet.errors import DataError
from seresnet.files import sha256_of

GRANT = Grant(1, 0, 1)


@pytest.fixture
def test_images(tiny_split):
    return Unlabelled(tiny_split.images[60:70], torch.arange(10))


def one_hot(*labels):
    return torch.nn.functional.one_hot(torch.tensor(labels), 10).float()


@pytest.fixture
def models(monkeypatch):
    """Logits by the name of a model's folder: both models see one image of each class."""
    logits = {"seed4": 9 * one_hot(*range(10)), "seed9": one_hot(*range(10))}

    def label(model, images, granted, *, mirror):
        return -logits[model.parent.name] if mirror else logits[model.parent.name]

    monkeypatch.setattr(submitting, "label", label)
    return logits


@pytest.fixture
def order(study_dir, test_images):
    return Order(test_images, study_dir.submission)


@pytest.fixture
def submitted(trained, ledger, order, models):
    """The study with its submission written."""
    submit(trained, ledger, order, GRANT)
    return trained


def sidecar_of(folder):
    return json.loads(folder.submission.with_suffix(".json").read_text())


def test_the_submission_is_of_the_first_seed_and_says_what_made_it(submitted, ledger, order):
    assert submitted.submission.read_text().splitlines()[:3] == ["ID,Labels", "0,0", "1,1"]
    sidecar = json.loads(submitted.submission.with_suffix(".json").read_text())
    assert (sidecar["run"], sidecar["trial"]) == (ledger.id, "t0000")
    assert (sidecar["retrain_seed"], sidecar["retrain_epochs"]) == (4, 3)
    assert sidecar["model_sha256"] == sha256_of(submitted.retrain(4) / "model.pt")
    assert is_submitted(submitted, ledger, order)


def test_before_anything_is_made_nothing_is_submitted(study_dir, ledger, order):
    assert not is_submitted(study_dir, ledger, order)


def test_a_model_made_anew_makes_the_submission_stale(submitted, ledger, dataset, order):
    shutil.rmtree(submitted.retrain(4))
    (job,) = unfinished_jobs(submitted, ledger, dataset)
    fakes.finish(job, model=b"another model")
    assert not is_submitted(submitted, ledger, order)


def with_changed(order, part):
    """The order with its last image, or its last id, changed."""
    changed = getattr(order.test, part).clone()
    changed[-1] += 1
    return dataclasses.replace(order, test=dataclasses.replace(order.test, **{part: changed}))


@pytest.mark.parametrize("part", ["images", "ids"])
def test_changed_test_images_make_the_submission_stale(submitted, ledger, order, part):
    assert not is_submitted(submitted, ledger, with_changed(order, part))


def test_an_edited_submission_is_stale(submitted, ledger, order):
    path = submitted.submission
    path.write_text(path.read_text().replace("1,1", "1,8"))
    assert not is_submitted(submitted, ledger, order)


@pytest.mark.parametrize(
    "name",
    ["submission.csv", "submission.json", "retrain/seed4/metrics.json", "retrain/seed4/model.pt"],
)
@pytest.mark.parametrize("text", [None, "", "{}", "\udcff"], ids=["gone", "empty", "bare", "bytes"])
def test_a_damaged_file_makes_the_submission_stale(submitted, ledger, order, name, text):
    path = submitted.path / name
    path.unlink()
    if text is not None:
        path.write_text(text, errors="surrogateescape")
    assert not is_submitted(submitted, ledger, order)


def test_a_damaged_model_labels_nothing(trained, ledger, order, monkeypatch):
    monkeypatch.setattr(submitting, "label", lambda *_: pytest.fail("the model was used"))
    model = trained.retrain(4) / "model.pt"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedStudyError, match=r"model\.pt: is damaged") as caught:
        submit(trained, ledger, order, GRANT)
    assert caught.value.exit_code == 4
    assert "it trains anew" in caught.value.hint
    assert not trained.submission.exists()


def test_a_new_winner_makes_the_submission_stale(submitted, ledger, order):
    fakes.run(ledger, 0.9, 0.9, 0.9, 0.9)
    assert not is_submitted(submitted, ledger, order)


def test_another_studys_submission_is_neither_ours_nor_overwritten(submitted, ledger, order):
    other = Ledger.open(InMemoryStorage(), ledger.config)
    fakes.run(other, 0.5, 0.5, 0.5, 0.5)
    before = submitted.submission.read_bytes()
    assert not is_submitted(submitted, other, order)
    with pytest.raises(DataError, match="another run's submission"):
        submit(submitted, other, order, GRANT)
    assert submitted.submission.read_bytes() == before


def test_the_other_seeds_models_are_compared_with(submitted, caplog):
    sidecar = sidecar_of(submitted)
    assert sidecar["agreement"] == {"9": 1.0}
    assert (sidecar["doubts"], caplog.messages) == ([], [])
    assert list(sidecar["members"]) == ["4"]
    assert sidecar["is_eligible"]


def test_labels_that_look_wrong_are_warned_of_and_written_all_the_same(
    trained, ledger, order, models, caplog
):
    models["seed4"] = one_hot(*[7] * 10)
    ledger.trials[0].epochs[4] = fakes.result(4, 0.8)
    submit(trained, ledger, order, GRANT)
    sidecar = sidecar_of(trained)
    assert sidecar["agreement"] == {"9": 0.1}
    first, second = sidecar["doubts"]
    assert first == "class 7 was given 10 times, where 0 to 5 would be usual"
    assert second.startswith("another seed's model agrees on 10.0% alone, where at least 64.0%")
    assert [message.split(": ")[0] for message in caplog.messages] == ["submission.csv"] * 2
    assert is_submitted(trained, ledger, order)


def test_an_ensemble_averages_what_the_models_believe(trained, ledger, order, models):
    models["seed9"] = 90 * one_hot(*range(1, 10), 0)  # surer than seed 4
    ensemble = dataclasses.replace(order, path=trained.path / "together.csv", is_ensemble=True)
    sidecar = submit(trained, ledger, ensemble, GRANT)
    labels = [line.split(",")[1] for line in ensemble.path.read_text().splitlines()[1:]]
    assert labels == list("1234567890")
    assert list(sidecar["members"]) == ["4", "9"]
    assert sidecar["num_parameters"] == 2 * 1234
    assert is_submitted(trained, ledger, ensemble)
    assert not is_submitted(trained, ledger, dataclasses.replace(ensemble, is_ensemble=False))


def test_an_ensemble_over_the_limit_is_written_and_marked(
    trained, ledger, order, models, monkeypatch
):
    monkeypatch.setattr("seresnet.submission.MAX_PARAMETERS", 2000)
    with_both = dataclasses.replace(order, is_ensemble=True)
    assert not submit(trained, ledger, with_both, GRANT)["is_eligible"]
    assert trained.submission.exists()


def test_one_model_over_the_limit_is_refused(trained, ledger, order, models, monkeypatch):
    monkeypatch.setattr("seresnet.submission.MAX_PARAMETERS", 1000)
    with pytest.raises(DataError, match="1234 parameters, the competition allows 1000"):
        submit(trained, ledger, order, GRANT)


def test_a_submission_of_other_images_or_kind_is_not_to_be_overwritten(submitted, ledger, order):
    refuse_other(ledger, order)
    for part in ("images", "ids"):
        with pytest.raises(DataError, match="is the submission of another test file") as caught:
            refuse_other(ledger, with_changed(order, part))
        assert "--out" in caught.value.hint
    with pytest.raises(DataError, match="another number of models"):
        refuse_other(ledger, dataclasses.replace(order, is_ensemble=True))


def with_source(config, source):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, source=source))


def look(accuracy, folder):
    """What a look at the test set leaves beside a model."""
    measured = {"averaged": {"accuracy": accuracy}}
    sha256 = sha256_of(folder / "model.pt")
    return {"evaluations": [{"model_sha256": sha256, "weights": measured}]}


@pytest.mark.parametrize(
    ("source", "accuracy", "is_expected"),
    [
        pytest.param("cifar10", 0.95, True, id="known"),
        pytest.param("synthetic", 0.95, False, id="other-images"),
        pytest.param("cifar10", 0.60, False, id="far-from-the-line"),
        pytest.param("cifar10", None, False, id="unknown"),
    ],
)
def test_a_score_is_expected_only_of_a_known_accuracy_on_cifar10(
    trained, ledger, order, models, source, accuracy, is_expected
):
    ledger.config = with_source(ledger.config, source)
    if accuracy:
        text = json.dumps(look(accuracy, trained.retrain(4)), allow_nan=False)
        (trained.retrain(4) / "evaluation.json").write_text(text)
    expectation = submit(trained, ledger, order, GRANT)["expectation"]
    assert (expectation is not None) == is_expected
    if is_expected:
        assert expectation["test_accuracy"] == 0.95
        assert 0.83 < expectation["score"] < 0.85
        assert expectation["is_extrapolated"]


def test_a_look_at_another_model_is_not_this_ones(trained, ledger, order, models):
    ledger.config = with_source(ledger.config, "cifar10")
    found = look(0.95, trained.retrain(4))
    found["evaluations"][0]["model_sha256"] = "another"
    text = json.dumps(found, allow_nan=False)
    (trained.retrain(4) / "evaluation.json").write_text(text)
    assert submit(trained, ledger, order, GRANT)["expectation"] is None


def test_a_submission_without_mirror_averaging_is_stale_where_it_is_wanted(
    submitted, ledger, order
):
    assert is_submitted(submitted, ledger, order)
    retrain = dataclasses.replace(ledger.config.retrain, mirror=True)
    ledger.config = dataclasses.replace(ledger.config, retrain=retrain)
    assert not is_submitted(submitted, ledger, order)
    submit(submitted, ledger, order, GRANT)
    assert is_submitted(submitted, ledger, order)
    assert sidecar_of(submitted)["mirror"] is True
    assert submitted.submission.read_text().splitlines()[1] == "0,1"  # turned round
