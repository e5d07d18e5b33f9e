"""A study whose winner is retrained, for what comes after the search."""

import dataclasses

import pytest
from optuna.storages import InMemoryStorage

import fakes
from search.engine.delivery import unfinished_jobs
from search.study.dataset import Dataset
from search.study.ledger import Ledger
from seresnet.data import Split


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs and two seeds to retrain; its baseline has 0.5."""
    retrain = dataclasses.replace(study_config.retrain, epochs=3, seeds=(4, 9))
    config = dataclasses.replace(study_config, retrain=retrain)
    ledger = Ledger.open(InMemoryStorage(), config)
    fakes.run(ledger, 0.5, 0.5, 0.5, 0.5)
    return ledger


@pytest.fixture
def dataset(tiny_split):
    parts = [Split(tiny_split.images[k], tiny_split.labels[k]) for k in (slice(40), slice(40, 60))]
    return Dataset(*parts, report={"source": "synthetic", "train_sha256": "ab"})


@pytest.fixture
def trained(study_dir, ledger, dataset):
    """The study with its winner retrained."""
    for job in unfinished_jobs(study_dir, ledger, dataset):
        fakes.finish(job)
    return study_dir
