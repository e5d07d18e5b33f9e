from types import SimpleNamespace

import pytest

from search.engine import looking
from search.engine.grants import Grant
from search.engine.looking import look, unseen_models
from search.study.dataset import LabelledTest
from search.study.errors import DamagedStudyError
from seresnet.data import Split
from seresnet.errors import DataError
from seresnet.evaluation import Look, keep_look, read_evaluations
from seresnet.files import sha256_of

GRANT = Grant(1, 0, 1)


@pytest.fixture
def part(tiny_split):
    return LabelledTest(Split(tiny_split.images[:10], tiny_split.labels[:10]), ("a", "b"))


class Worker:
    """Evaluates without a model; it is interrupted before a chosen one."""

    def __init__(self):
        self.seen = []
        self.interrupted_at = ""

    def task(self, model, arrays, class_names, mps_pipe):
        if model.parent.name == self.interrupted_at:
            raise KeyboardInterrupt
        self.seen.append((model.parent.name, len(arrays[0]), class_names))
        sha256, accuracy = sha256_of(model), {"accuracy": 0.5, "standard_error": 0.1}
        at = "2026-11-28T12:00:00+00:00"
        return Look({"at": at, "model_sha256": sha256, "weights": {"averaged": accuracy}}, None)


@pytest.fixture
def worker(monkeypatch):
    worker = Worker()

    def remote(**granted):
        assert granted == {"num_cpus": 1, "num_gpus": 0, "max_calls": 0}
        return lambda function: SimpleNamespace(remote=worker.task)

    fake = SimpleNamespace(remote=remote, put=lambda value: value, get=lambda value: value)
    monkeypatch.setattr(looking, "ray", fake)
    return worker


def test_each_retrained_model_is_looked_at_once(trained, ledger, part, worker):
    told = []
    models = unseen_models(trained, ledger)
    assert [model.parent.name for model in models] == ["seed4", "seed9"]
    look(models, part, GRANT, lambda model, found: told.append(model.parent.name))
    assert worker.seen == [("seed4", 10, ("a", "b")), ("seed9", 10, ("a", "b"))]
    assert told == ["seed4", "seed9"]
    assert unseen_models(trained, ledger) == []
    assert len(read_evaluations(trained.retrain(4))) == 1


def test_an_interrupted_look_goes_on_with_the_model_it_had_come_to(trained, ledger, part, worker):
    worker.interrupted_at = "seed9"
    with pytest.raises(KeyboardInterrupt):
        look(unseen_models(trained, ledger), part, GRANT, lambda *_: None)
    worker.interrupted_at = ""
    look(unseen_models(trained, ledger), part, GRANT, lambda *_: None)
    assert [name for name, *_ in worker.seen] == ["seed4", "seed9"]


def test_what_is_not_retrained_yet_cannot_be_looked_at(study_dir, ledger):
    assert unseen_models(study_dir, ledger) == []


def test_a_look_by_hand_counts(trained, ledger):
    folder = trained.retrain(4)
    entry = {"at": "2026-11-28", "model_sha256": sha256_of(folder / "model.pt"), "weights": {}}
    keep_look(Look(entry, None), folder)
    assert [model.parent.name for model in unseen_models(trained, ledger)] == ["seed9"]


def test_a_model_that_was_made_anew_is_looked_at_again(trained, ledger):
    for seed in (4, 9):
        entry = {"at": "2026-11-28", "model_sha256": "of an earlier model", "weights": {}}
        keep_look(Look(entry, None), trained.retrain(seed))
    assert len(unseen_models(trained, ledger)) == 2


def test_a_model_that_is_not_the_one_that_was_trained_is_refused(trained, ledger, part, worker):
    (trained.retrain(4) / "model.pt").write_bytes(b"another")
    with pytest.raises(DamagedStudyError, match=r"model\.pt: is damaged"):
        look(unseen_models(trained, ledger), part, GRANT, lambda *_: None)
    assert worker.seen == []


def test_a_damaged_record_of_looks_is_named(trained, ledger):
    (trained.retrain(9) / "evaluation.json").write_text("{")
    with pytest.raises(DataError, match=r"seed9/evaluation\.json: is damaged"):
        unseen_models(trained, ledger)
