"""Confirmations carried out in this process: small networks are really trained, without Ray."""

import dataclasses
import json

import pytest
import torch
from optuna.storages import InMemoryStorage

import fakes
from search.engine import contest
from search.engine.confirming import confirm_top
from search.engine.contest import carry_out, is_done, jobs_of, outcome
from search.engine.grants import Grant
from search.results import read_runs
from search.study.contest import planned, terms_of
from search.study.dataset import Dataset
from search.study.errors import DamagedStudyError, UnfinishedError
from search.study.ledger import Ledger
from search.study.winner import confirmation_of, winner
from seresnet import run as running
from seresnet.data import Split
from seresnet.train import DivergedError

GRANT = Grant(1, 0, 1)


@pytest.fixture
def ledger(study_config):
    """Baseline and recipe, complete; two seeds of one epoch each confirm them."""
    confirm = dataclasses.replace(study_config.confirm, top=1, seeds=(11, 12), epochs=2)
    ledger = Ledger.open(InMemoryStorage(), dataclasses.replace(study_config, confirm=confirm))
    for value in (0.5, 0.6):
        fakes.run(ledger, value, value, value, value)
    return ledger


@pytest.fixture
def dataset(tiny_split):
    parts = [Split(tiny_split.images[k], tiny_split.labels[k]) for k in (slice(40), slice(40, 90))]
    return Dataset(*parts, report={"source": "synthetic"})


@pytest.fixture
def trained(monkeypatch):
    """Trains in this process what would go to Ray; lists what was trained, by name."""
    names, diverging = [], set()

    def train_jobs(jobs, train, val, granted, observer, *, on_diverged):
        for job in jobs:
            names.append(job.folder.name)
            if job.folder.name in diverging:
                running.claim(job.folder, job.owner)
                on_diverged(job, DivergedError(1, "loss not finite"))
                observer.diverged(job)
                continue
            places = {"folder": job.folder, "device": torch.device("cpu")}
            for result in running.run(job.config, train, val, provenance=job.provenance, **places):
                observer.trained(job, result)

    monkeypatch.setattr(contest, "train_jobs", train_jobs)
    monkeypatch.setattr(contest, "widen", lambda granted, num: granted)
    names_and_diverging = dataclasses.make_dataclass("Trained", ["names", "diverging"])
    return names_and_diverging(names, diverging)


ALL = ["t0001-seed11", "t0000-seed11", "t0001-seed12", "t0000-seed12"]


@pytest.fixture
def confirm(study_dir, ledger, dataset, trained):
    """A function that confirms and returns what came out."""
    return lambda: confirm_top(study_dir, ledger, dataset, GRANT, fakes.Audience())


def test_each_configuration_is_trained_with_each_seed_and_judged_on_the_validation_part(
    confirm, study_dir, trained, dataset
):
    found = confirm()
    assert trained.names == ALL
    table = read_runs(study_dir.path)
    assert list(table["trial"] + "-seed" + table["seed"].astype(str)) == ALL
    assert list(table["name"]) == ["plain", "baseline"] * 2
    assert set(table["epochs"]) == {2}
    for row in found.entrants:
        for seed, value in row.values.items():
            metrics = json.loads(
                (study_dir.confirm / f"{row.trial}-seed{seed}" / "metrics.json").read_text()
            )
            assert value == metrics["val_accuracy"]
            assert (value * len(dataset.val)) == pytest.approx(round(value * len(dataset.val)))
    assert (found.num_val, found.number) == (50, 1)


def test_a_confirmation_chooses_who_is_retrained(confirm, study_dir, ledger):
    assert winner(study_dir, ledger).id == "t0001"
    found = confirm()
    assert confirmation_of(study_dir, ledger) == found
    means = {row.trial: row.mean for row in found.entrants}
    assert winner(study_dir, ledger).id == found.winner
    assert means[found.winner] == max(means.values())


def test_a_stale_confirmation_chooses_nobody(confirm, study_dir, ledger):
    confirm()
    fakes.run(ledger, 0.9, 0.9, 0.9, 0.9)
    assert confirmation_of(study_dir, ledger) is None
    assert winner(study_dir, ledger).id == "t0002"


def test_a_study_that_went_on_trains_only_the_newcomer(confirm, ledger, trained):
    confirm()
    trained.names.clear()
    fakes.run(ledger, 0.9, 0.9, 0.9, 0.9)
    assert confirm().number == 2
    assert trained.names == ["t0002-seed11", "t0002-seed12"]


def test_other_schedules_are_trained_anew_with_a_warning(confirm, ledger, trained, caplog):
    confirm()
    trained.names.clear()
    settings = dataclasses.replace(ledger.config.confirm, epochs=3)
    ledger.config = dataclasses.replace(ledger.config, confirm=settings)
    confirm()
    assert trained.names == ALL
    assert [line.split()[0] for line in caplog.messages] == ALL


def test_an_interruption_costs_no_run(confirm, study_dir, ledger, dataset, trained):
    """Equal to a confirmation that nothing happened to, but for its date."""

    class Killer(fakes.Audience):
        def trained(self, job, result):
            if len(trained.names) == 3 and result.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm_top(study_dir, ledger, dataset, GRANT, Killer())
    assert not study_dir.confirmation.exists()
    assert winner(study_dir, ledger).id == "t0001"
    found = confirm()
    assert trained.names == [*ALL[:3], *ALL[2:]]
    whole = dataclasses.replace(study_dir, path=study_dir.path.parent / "whole")
    expected = confirm_top(whole, ledger, dataset, GRANT, fakes.Audience())
    assert dataclasses.replace(found, made="") == dataclasses.replace(expected, made="")


def test_whoever_watches_is_told_what_belongs_to_the_stage_and_what_is_left(
    confirm, study_dir, ledger, dataset, trained
):
    trained.diverging.add("t0000-seed12")
    first, again = fakes.Audience(), fakes.Audience()
    confirm_top(study_dir, ledger, dataset, GRANT, first)
    assert (first.jobs, first.unfinished, first.ends) == (ALL, ALL, ["t0000-seed12"])
    assert first.epochs == [(name, epoch) for name in ALL[:3] for epoch in (1, 2)]
    confirm_top(study_dir, ledger, dataset, GRANT, again)
    assert (again.jobs, again.unfinished, again.epochs) == (ALL, [], [])


def test_a_run_that_diverges_is_noted_once_and_the_others_go_on(
    confirm, study_dir, trained, ledger
):
    trained.diverging.add("t0001-seed12")
    found = confirm()
    assert (found.winner, found.is_better) == ("t0000", False)
    assert "diverged in epoch 1: loss not finite (seed 12)" in found.entrants[0].error
    assert list(read_runs(study_dir.path)["error"]) == [
        "", "", "diverged in epoch 1: loss not finite", "",
    ]  # fmt: skip
    trained.names.clear()
    study_dir.confirmation.unlink()
    assert dataclasses.replace(confirm(), made="") == dataclasses.replace(found, made="")
    assert trained.names == []


def test_where_all_diverge_nobody_wins(confirm, study_dir, trained):
    trained.diverging.update(ALL)
    with pytest.raises(UnfinishedError, match="every configuration diverged") as caught:
        confirm()
    assert caught.value.exit_code == 1
    assert not study_dir.confirmation.exists()


def test_a_damaged_run_is_named(confirm, study_dir):
    confirm()
    study_dir.confirmation.unlink()
    path = study_dir.confirm / "t0001-seed11" / "metrics.json"
    path.write_text(path.read_text().replace('"val_accuracy"', '"val_accuracy_"'))
    with pytest.raises(DamagedStudyError, match=r"metrics\.json: is damaged") as caught:
        confirm()
    assert caught.value.exit_code == 4
    assert "t0001-seed11" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", '{"error": "e"}', '{"owner": "o", "error": "e"}'])
def test_a_divergence_of_another_run_is_none(study_dir, ledger, dataset, trained, text):
    runs = planned(ledger, terms_of(ledger.config))[:1]
    (job,) = jobs_of(runs, study_dir.confirm, dataset, {})
    job.folder.mkdir(parents=True)
    (job.folder / "diverged.json").write_text(text)
    assert not is_done(job)
    carry_out([job], dataset, GRANT, fakes.Audience())
    assert 0 <= outcome(job) <= 1
