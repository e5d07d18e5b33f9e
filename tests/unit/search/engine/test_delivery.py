import dataclasses

import pytest
from optuna.storages import InMemoryStorage

import fakes
from fakes import Audience
from search.engine import delivery, retraining
from search.engine.delivery import is_stale, retrain_winner, unfinished_jobs
from search.engine.grants import Grant
from search.study.errors import UnfinishedError
from search.study.ledger import Ledger
from search.study.winner import winner
from seresnet.data import Split
from seresnet.run import claim, holder

GRANT = Grant(1, 0, 1)


def with_retrain(config, **changes):
    return dataclasses.replace(config, retrain=dataclasses.replace(config.retrain, **changes))


def run(ledger, value):
    """Run one trial to its last epoch."""
    fakes.run(ledger, value, value, value, value)


def test_without_a_confirmation_the_winner_is_the_best_complete_trial(study_dir, ledger):
    run(ledger, 0.7)
    run(ledger, 0.6)
    assert winner(study_dir, ledger).number == 1


def test_without_a_complete_trial_the_kinds_of_failure_are_named(study_dir, study_config):
    ledger = Ledger.open(InMemoryStorage(), study_config)
    for kind in ("diverged", "cuda-oom", "diverged"):
        ledger.fail(ledger.suggest().number, kind=kind, error="")
    with pytest.raises(
        UnfinishedError, match=r"no trial of 3 .* retrain: cuda-oom, diverged$"
    ) as c:
        winner(study_dir, ledger)
    assert c.value.exit_code == 1
    assert "trials.csv" in c.value.hint


def test_without_any_trial_nothing_is_blamed(study_dir, study_config):
    with pytest.raises(UnfinishedError, match=r"no trial of 0 is complete, .* retrain$"):
        winner(study_dir, Ledger.open(InMemoryStorage(), study_config))


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
    fakes.finish(first)
    assert unfinished_jobs(study_dir, ledger, dataset) == [second]
    fakes.finish(second)
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
    assert not is_stale(trained, ledger, dataset)
    assert len(unfinished_jobs(trained, *change(ledger, dataset))) == 2
    assert is_stale(trained, ledger, change(ledger, dataset)[1])


def test_a_better_trial_with_the_same_settings_makes_nothing_stale(trained, ledger, dataset):
    run(ledger, 0.1)
    assert unfinished_jobs(trained, ledger, dataset) == []


def test_a_training_whose_model_is_gone_is_done_again(trained, ledger, dataset):
    (trained.retrain(4) / "model.pt").unlink()
    assert not is_stale(trained, ledger, dataset)
    assert [j.config.seed for j in unfinished_jobs(trained, ledger, dataset)] == [4]


@pytest.fixture
def retrained(monkeypatch):
    """The jobs that were sent to Ray, in place of which nothing is done."""
    sent = []
    monkeypatch.setattr(delivery, "train_jobs", lambda jobs, *_: sent.extend(jobs))
    return sent


def test_a_stale_training_is_deleted_with_a_warning(trained, ledger, dataset, retrained, caplog):
    run(ledger, 0.9)
    retrain_winner(trained, ledger, dataset, GRANT, Audience())
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
    retrain_winner(study_dir, ledger, dataset, GRANT, Audience())
    assert (job.folder / "checkpoints").is_dir()
    assert holder(job.folder) == job.owner
    assert caplog.messages == []


def test_a_finished_retraining_starts_nothing(trained, ledger, dataset, retrained):
    retrain_winner(trained, ledger, dataset, GRANT, Audience())
    assert retrained == []


def test_a_kill_while_a_stale_training_is_deleted_blocks_nothing(
    trained, ledger, dataset, monkeypatch
):
    run(ledger, 0.9)  # a new winner

    def killed(path, **_):
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retraining.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain_winner(trained, ledger, dataset, GRANT, Audience())
    assert not trained.retrain(4).exists()
    started = []
    monkeypatch.setattr(delivery, "train_jobs", lambda jobs, *_: started.extend(jobs))
    retrain_winner(trained, ledger, dataset, GRANT, Audience())
    assert [job.folder.name for job in started] == ["seed4", "seed9"]
    assert not list(trained.path.glob("retrain/.stale-*"))


def test_settings_of_the_retraining_alone_are_in_its_jobs(study_dir, ledger, dataset):
    plain = unfinished_jobs(study_dir, ledger, dataset)
    ledger.config = with_retrain(ledger.config, train={"nesterov": True})
    jobs = unfinished_jobs(study_dir, ledger, dataset)
    assert all(job.config.nesterov for job in jobs)
    assert [job.owner for job in jobs] != [job.owner for job in plain]
