"""What tests of the commands after a search share: a small study, and trainings made up."""

import contextlib
import math

import pytest
import ray

import fakes
from search.engine import contest, delivery
from search.engine.grants import Grant
from search.study.dataset import Dataset
from search.study.folder import StudyFolder, opened
from search.study.space import load_study
from seresnet.data import Split


@pytest.fixture
def folder(tmp_path, study_file):
    """A study of two trials: the baseline, and the recipe, which is better."""
    study_file.write_text(study_file.read_text().replace("num_trials: 6", "num_trials: 2"))
    folder = StudyFolder(tmp_path / "results" / "tiny")
    with opened(folder, load_study(study_file), fakes.IMAGES) as ledger:
        for value in (0.1, 0.2):
            fakes.run(ledger, value, value, value, value)
    return folder


class Trained(list):
    """Names of the runs trained; `interrupt NAME` in it beforehand interrupts that run once."""

    def __init__(self):
        super().__init__()
        self.configs = {}
        """Name to settings."""

    def accuracy(self, config):
        """What a run comes to: dropout costs, the warm-up does not, and no two runs are equal."""
        luck = math.sin(13 * config.seed + 5 * config.warmup_epochs + 90 * config.dropout)
        return 0.9 - config.dropout + 0.001 * luck

    def train_jobs(self, jobs, train, val, granted, observer, **_):
        for job in jobs:
            if f"interrupt {job.folder.name}" in self:
                self.remove(f"interrupt {job.folder.name}")
                raise KeyboardInterrupt
            self.append(job.folder.name)
            self.configs[job.folder.name] = job.config
            accuracy = self.accuracy(job.config)
            fakes.finish(job, accuracy=accuracy)
            observer.trained(job, fakes.result(job.config.epochs, accuracy))


@pytest.fixture
def trained(monkeypatch, tiny_split):
    trained = Trained()
    part = Split(tiny_split.images[:10], tiny_split.labels[:10])
    dataset = Dataset(part, part, fakes.IMAGES)
    session = contextlib.nullcontext
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    monkeypatch.setattr("search.engine.cluster.session", lambda **_: session())
    monkeypatch.setattr("search.engine.cluster.usable_grant", lambda *_, **__: Grant(1, 0, 1))
    monkeypatch.setattr("search.engine.cluster.widen", lambda granted, _: granted)
    monkeypatch.setattr("search.engine.nodes.probe", lambda *_: None)
    monkeypatch.setattr("search.study.dataset.load_dataset", lambda *_: dataset)
    monkeypatch.setattr("search.study.dataset.load_test_images", lambda *_: None)
    monkeypatch.setattr("search.study.dataset.load_labelled_test", lambda *_: None)
    monkeypatch.setattr(contest, "train_jobs", trained.train_jobs)
    monkeypatch.setattr(contest, "widen", lambda granted, _: granted)
    monkeypatch.setattr(delivery, "train_jobs", trained.train_jobs)
    return trained
