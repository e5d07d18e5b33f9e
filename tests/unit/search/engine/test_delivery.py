import dataclasses
import json
import shutil

import pytest
import torch
from optuna.storages import InMemoryStorage

import fakes
from search.engine import delivery
from search.engine.delivery import is_submitted, retrain_winner, submit, unfinished_jobs, winner
from search.engine.grants import Grant
from search.study.dataset import Dataset
from search.study.errors import DamagedStudyError, UnfinishedError
from search.study.ledger import Ledger
from seresnet import run as running
from seresnet.data import Split, Unlabelled
from seresnet.errors import DataError
from seresnet.files import sha256_of
from seresnet.run import claim, holder

GRANT = Grant(1, 0, 1)


def with_retrain(config, **changes):
    return dataclasses.replace(config, retrain=dataclasses.replace(config.retrain, **changes))


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs and two seeds to retrain; its baseline has 0.5."""
    config = with_retrain(study_config, epochs=3, seeds=(4, 9))
    ledger = Ledger.open(InMemoryStorage(), config)
    run(ledger, 0.5)
    return ledger


def run(ledger, value):
    """Run one trial to its last epoch."""
    fakes.run(ledger, value, value, value, value)


@pytest.fixture
def dataset(tiny_split):
    parts = [Split(tiny_split.images[k], tiny_split.labels[k]) for k in (slice(40), slice(40, 60))]
    return Dataset(*parts, report={"source": "synthetic", "train_sha256": "ab"})


@pytest.fixture
def test_images(tiny_split):
    return Unlabelled(tiny_split.images[60:70], torch.arange(10))


def finish(job, model=b"a model"):
    """Leave behind what a training to completion does."""
    claim(job.folder, job.owner)
    (job.folder / "model.pt").write_bytes(model)
    (job.folder / "epochs.csv").write_text("epoch\n1\n")
    metrics = {
        "model_sha256": sha256_of(job.folder / "model.pt"),
        "epochs_sha256": sha256_of(job.folder / "epochs.csv"),
        "num_parameters": 1234,
    }
    metrics["metrics_sha256"] = running._hash(metrics)
    (job.folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def trained(study_dir, ledger, dataset):
    """The study with its winner retrained."""
    for job in unfinished_jobs(study_dir, ledger, dataset):
        finish(job)
    return study_dir


@pytest.fixture
def submitted(trained, ledger, test_images, monkeypatch):
    """The study with its submission written; the model says 7 to everything."""
    logits = torch.nn.functional.one_hot(torch.full((10,), 7), 10).float()
    monkeypatch.setattr(delivery, "label", lambda model, images, granted: logits)
    submit(trained, ledger, test_images, GRANT)
    return trained


def test_the_winner_is_the_best_complete_trial(ledger):
    run(ledger, 0.7)
    run(ledger, 0.6)
    assert winner(ledger).number == 1


def test_without_a_complete_trial_the_kinds_of_failure_are_named(study_config):
    ledger = Ledger.open(InMemoryStorage(), study_config)
    for kind in ("diverged", "cuda-oom", "diverged"):
        ledger.fail(ledger.suggest().number, kind=kind, error="")
    with pytest.raises(
        UnfinishedError, match=r"no trial of 3 .* retrain: cuda-oom, diverged$"
    ) as c:
        winner(ledger)
    assert c.value.exit_code == 1
    assert "trials.csv" in c.value.hint


def test_without_any_trial_nothing_is_blamed(study_config):
    with pytest.raises(UnfinishedError, match=r"no trial of 0 is complete, .* retrain$"):
        winner(Ledger.open(InMemoryStorage(), study_config))


def test_there_is_a_job_a_seed_with_the_winners_settings(study_dir, ledger, dataset):
    run(ledger, 0.75)  # the recipe: no dropout, no warm-up
    jobs = unfinished_jobs(study_dir, ledger, dataset)
    assert [j.folder for j in jobs] == [
        study_dir.retrain(4).resolve(),
        study_dir.retrain(9).resolve(),
    ]
    assert [j.config.seed for j in jobs] == [4, 9]
    assert {(j.config.epochs, j.config.dropout, j.config.warmup_epochs) for j in jobs} == {
        (3, 0, 0)
    }
    assert len({j.owner for j in jobs}) == 2
    facts = jobs[0].provenance
    assert (facts["study"], facts["trial"]) == (ledger.id, "t0001")
    assert (facts["val_accuracy_in_search"], facts["baseline_val_accuracy"]) == (0.75, 0.5)
    assert (facts["num_images"], facts["data"]) == (60, dataset.report)


def test_a_finished_training_is_not_done_again(study_dir, ledger, dataset):
    first, second = unfinished_jobs(study_dir, ledger, dataset)
    finish(first)
    assert unfinished_jobs(study_dir, ledger, dataset) == [second]
    finish(second)
    assert unfinished_jobs(study_dir, ledger, dataset) == []


def test_a_training_that_has_only_begun_is_unfinished(study_dir, ledger, dataset):
    job, _ = unfinished_jobs(study_dir, ledger, dataset)
    claim(job.folder, job.owner)
    (job.folder / "model.pt").write_bytes(b"half")
    assert job in unfinished_jobs(study_dir, ledger, dataset)


def new_winner(ledger, dataset):
    run(ledger, 0.9)
    return ledger, dataset


def longer_retraining(ledger, dataset):
    ledger.config = with_retrain(ledger.config, epochs=5)
    return ledger, dataset


def other_images(ledger, dataset):
    images = dataset.val.images.clone()
    images[0, 0, 0, 0] ^= 1
    return ledger, dataclasses.replace(dataset, val=Split(images, dataset.val.labels))


@pytest.mark.parametrize("change", [new_winner, longer_retraining, other_images])
def test_what_was_retrained_is_stale_after_a_change(trained, ledger, dataset, change):
    assert len(unfinished_jobs(trained, *change(ledger, dataset))) == 2


def test_a_better_trial_with_the_same_settings_makes_nothing_stale(trained, ledger, dataset):
    run(ledger, 0.1)
    assert unfinished_jobs(trained, ledger, dataset) == []


def test_a_training_whose_model_is_gone_is_done_again(trained, ledger, dataset):
    (trained.retrain(4) / "model.pt").unlink()
    assert [j.config.seed for j in unfinished_jobs(trained, ledger, dataset)] == [4]


@pytest.fixture
def retrained(monkeypatch):
    """The jobs that were sent to Ray, in place of which nothing is done."""
    sent = []
    monkeypatch.setattr(delivery, "retrain", lambda jobs, *_: sent.extend(jobs))
    return sent


def test_a_stale_training_is_deleted_with_a_warning(trained, ledger, dataset, retrained, caplog):
    run(ledger, 0.9)
    retrain_winner(trained, ledger, dataset, GRANT, print)
    assert [j.config.seed for j in retrained] == [4, 9]
    assert not trained.retrain(4).exists()
    assert [m.split()[0] for m in caplog.messages] == ["seed4", "seed9"]
    assert all("stale" in m for m in caplog.messages)


def test_an_interrupted_training_keeps_its_checkpoints(
    study_dir, ledger, dataset, retrained, caplog
):
    job, _ = unfinished_jobs(study_dir, ledger, dataset)
    claim(job.folder, job.owner)
    (job.folder / "checkpoints").mkdir()
    retrain_winner(study_dir, ledger, dataset, GRANT, print)
    assert (job.folder / "checkpoints").is_dir()
    assert holder(job.folder) == job.owner
    assert caplog.messages == []


def test_a_finished_retraining_starts_nothing(trained, ledger, dataset, retrained):
    retrain_winner(trained, ledger, dataset, GRANT, print)
    assert retrained == []


def test_the_submission_is_of_the_first_seed_and_says_what_made_it(submitted, ledger, test_images):
    assert submitted.submission.read_text().splitlines()[:3] == ["ID,Labels", "0,7", "1,7"]
    sidecar = json.loads(submitted.submission.with_suffix(".json").read_text())
    assert (sidecar["run"], sidecar["trial"]) == (ledger.id, "t0000")
    assert (sidecar["retrain_seed"], sidecar["retrain_epochs"]) == (4, 3)
    assert sidecar["model_sha256"] == sha256_of(submitted.retrain(4) / "model.pt")
    assert is_submitted(submitted, ledger, test_images)


def test_before_anything_is_made_nothing_is_submitted(study_dir, ledger, test_images):
    assert not is_submitted(study_dir, ledger, test_images)


def test_a_model_made_anew_makes_the_submission_stale(submitted, ledger, dataset, test_images):
    shutil.rmtree(submitted.retrain(4))
    (job,) = unfinished_jobs(submitted, ledger, dataset)
    finish(job, model=b"another model")
    assert not is_submitted(submitted, ledger, test_images)


@pytest.mark.parametrize("part", ["images", "ids"])
def test_changed_test_images_make_the_submission_stale(submitted, ledger, test_images, part):
    changed = getattr(test_images, part).clone()
    changed[-1] += 1
    changed = dataclasses.replace(test_images, **{part: changed})
    assert not is_submitted(submitted, ledger, changed)


def test_an_edited_submission_is_stale(submitted, ledger, test_images):
    path = submitted.submission
    path.write_text(path.read_text().replace("1,7", "1,8"))
    assert not is_submitted(submitted, ledger, test_images)


@pytest.mark.parametrize(
    "name",
    ["submission.csv", "submission.json", "retrain/seed4/metrics.json", "retrain/seed4/model.pt"],
)
@pytest.mark.parametrize("text", [None, "", "{}", "\udcff"], ids=["gone", "empty", "bare", "bytes"])
def test_a_damaged_file_makes_the_submission_stale(submitted, ledger, test_images, name, text):
    path = submitted.path / name
    path.unlink()
    if text is not None:
        path.write_text(text, errors="surrogateescape")
    assert not is_submitted(submitted, ledger, test_images)


def test_a_kill_while_a_stale_training_is_deleted_blocks_nothing(
    trained, ledger, dataset, monkeypatch
):
    run(ledger, 0.9)  # a new winner

    def killed(path, **_):
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(delivery.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain_winner(trained, ledger, dataset, GRANT, lambda *_: None)
    assert not trained.retrain(4).exists()
    started = []
    monkeypatch.setattr(delivery, "retrain", lambda jobs, *_: started.extend(jobs))
    retrain_winner(trained, ledger, dataset, GRANT, lambda *_: None)
    assert [job.folder.name for job in started] == ["seed4", "seed9"]
    assert not list(trained.path.glob("retrain/.stale-*"))


def test_a_damaged_model_labels_nothing(trained, ledger, test_images, monkeypatch):
    monkeypatch.setattr(delivery, "label", lambda *_: pytest.fail("the model was used"))
    model = trained.retrain(4) / "model.pt"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedStudyError, match=r"model\.pt: is damaged") as caught:
        submit(trained, ledger, test_images, GRANT)
    assert caught.value.exit_code == 4
    assert "it trains anew" in caught.value.hint
    assert not trained.submission.exists()


def test_a_new_winner_makes_the_submission_stale(submitted, ledger, test_images):
    run(ledger, 0.9)
    assert not is_submitted(submitted, ledger, test_images)


def test_another_studys_submission_is_neither_ours_nor_overwritten(
    submitted, study_config, test_images, dataset
):
    other = Ledger.open(InMemoryStorage(), with_retrain(study_config, seeds=(4, 9)))
    run(other, 0.5)
    before = submitted.submission.read_bytes()
    assert not is_submitted(submitted, other, test_images)
    with pytest.raises(DataError, match="another run's submission"):
        submit(submitted, other, test_images, GRANT)
    assert submitted.submission.read_bytes() == before
