"""What another trainable yields, as the driver hears it."""

import time

import numpy as np
import pytest
import ray.tune

import fakes
from search.engine import foreign
from search.engine.foreign import measured, run_foreign
from search.engine.messages import EpochMessage, Failure, read_message
from seresnet.train import DivergedError


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a trial in this process; return what it reports."""
    monkeypatch.setattr(foreign, "set_granted_threads", lambda: None)
    monkeypatch.setattr(ray, "get_gpu_ids", list)

    def run(function, *, epochs_stored=0, study=fakes.CONFIG):
        messages = []

        def report(metrics):
            flat = {**metrics, **{f"host/{k}": v for k, v in metrics.get("host", {}).items()}}
            messages.append(read_message(flat))

        monkeypatch.setattr(ray.tune, "report", report)
        suggestion = {"number": 3, "params": {"a": 0.5}, "seed": 9, "attempt": 2}
        suggestion["epochs_stored"] = epochs_stored
        run_foreign(suggestion, function=function, study=study, folder=tmp_path)
        return messages

    return run


def rising(params, seed, epochs):
    for epoch in range(1, epochs + 1):
        yield {"val_accuracy": params["a"] * epoch, "val_loss": 1 / epoch}


def test_each_epoch_is_reported_with_its_number_its_values_and_the_attempt(run):
    messages = run(rising)
    assert all(isinstance(message, EpochMessage) for message in messages)
    results = [message.result for message in messages]
    assert [r.epoch for r in results] == [1, 2, 3, 4]  # study.max_epochs
    assert [r.val_accuracy for r in results] == [0.5, 1.0, 1.5, 2.0]
    assert [r.val_loss for r in results] == [1 / 1, 1 / 2, 1 / 3, 1 / 4]
    assert {(r.train_loss, r.lr, r.images_per_second) for r in results} == {(None, None, None)}
    assert {message.attempt for message in messages} == {2}
    assert messages[0].host.device == "cpu"


def test_the_trainable_is_given_params_seed_and_epochs(run):
    given = []

    def trainable(*arguments):
        given.extend(arguments)
        return iter(())

    run(trainable)
    assert given == [{"a": 0.5}, 9, 4]


def test_epochs_that_the_study_holds_are_passed_over(run):
    assert [message.result.epoch for message in run(rising, epochs_stored=2)] == [3, 4]


def test_numbers_of_numpy_become_plain_ones():
    (result,) = measured(iter([{"val_accuracy": np.float32(0.5), "lr": np.int64(2)}]))
    assert (type(result.val_accuracy), type(result.lr)) == (float, float)


def test_the_time_of_an_epoch_is_that_of_the_trainable_alone(monkeypatch):
    clock = iter([0.0, 1.0, 10.0, 12.0, 20.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    results = measured(iter([{"val_accuracy": 0.1}, {"val_accuracy": 0.2}]))
    assert [result.seconds for result in results] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (0.5, "epoch 1: must yield a dict with val_accuracy, got float"),
        ({"val_loss": 0.5}, "epoch 1: must yield a dict with val_accuracy, got .'val_loss'."),
        ({"val_accuracy": 0.5, "f1": 0.2}, "epoch 1: f1: unknown, the tables have val_accuracy, "),
    ],
    ids=["number", "no-value", "unknown"],
)
def test_what_cannot_be_stored_fails_the_trial_in_words(run, numbers, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        list(measured(iter([numbers])))
    (failure,) = run(lambda *_: iter([numbers]))
    assert isinstance(failure, Failure)
    assert failure.kind == "exception"
    assert failure.error.startswith("ValueError: epoch 1: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_a_divergence(run, value):
    with pytest.raises(DivergedError, match="diverged in epoch 1: val_accuracy not finite"):
        list(measured(iter([{"val_accuracy": value}])))
    (failure,) = run(lambda *_: iter([{"val_accuracy": value}]))
    assert failure.kind == "diverged"


@pytest.mark.parametrize("error", [KeyError("no such thing"), FileNotFoundError(2, "No", "data")])
def test_an_error_of_the_trainable_fails_its_trial_alone(run, error):
    def trainable(params, seed, epochs):
        yield {"val_accuracy": 0.5}
        raise error

    epoch, failure = run(trainable)
    assert epoch.result.epoch == 1
    assert failure.kind == "exception"
    assert type(error).__name__ in failure.error


def test_a_trial_that_hung_before_is_failed(run, tmp_path):
    (tmp_path / "t0003").mkdir()
    (tmp_path / "t0003" / "hung.txt").write_text('  File "mine.py", line 7 in train\n')
    (failure,) = run(rising)
    assert (failure.kind, "in mine.py:7" in failure.error) == ("timeout", True)
