import csv
import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from seresnet import run as running
from seresnet import train as training
from seresnet.data import Split
from seresnet.errors import CheckpointError, DamagedError
from seresnet.files import sha256_of
from seresnet.model import SEResNet, num_parameters
from seresnet.model_file import load_model
from seresnet.run import identity, is_finished, run
from seresnet.synthetic import make_synthetic
from seresnet.train import DivergedError, TrainState, evaluate

CPU = torch.device("cpu")
EPOCHS = 3

METRICS = {
    "epoch", "train_loss", "val_loss", "val_accuracy", "val_accuracy_raw", "lr", "seconds",
    "images_per_second", "total_seconds", "weights", "model_sha256", "num_parameters", "device",
    "dtype", "threads", "config", "config_sha256", "epochs_sha256", "metrics_sha256",
    "last_sha256", "num_train_images", "train_sha256", "versions",
}  # fmt: skip
MADE = ["epochs.csv", "last.pt", "metrics.json", "model.pt", "model_card.md", "run.sha256"]


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=EPOCHS, warmup_epochs=1, batch_size=32)


@pytest.fixture(scope="module")
def data():
    return make_synthetic(num=64, seed=1)


@pytest.fixture(scope="module")
def other_data():
    return make_synthetic(num=64, seed=2)


@pytest.fixture
def start(config, data):
    """Start, or go on with, the run of a folder; changes are to `run`'s arguments."""

    def started(folder, **changes):
        settings = {"config": config, "train_data": data, "val_data": data} | changes
        given = {"folder": folder, "device": CPU, "provenance": {}} | settings
        return run(given.pop("config"), given.pop("train_data"), given.pop("val_data"), **given)

    return started


def stop_after(epochs, results):
    """Stop iterating, as a process does that is killed between two epochs."""
    for _, _ in zip(range(epochs), results, strict=False):
        pass
    results.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".attempt")


def timeless(row):
    return {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")}


def table(folder):
    """The rows of epochs.csv without their times."""
    with (folder / "epochs.csv").open(newline="") as file:
        return [timeless(row) for row in csv.DictReader(file)]


def weights(folder):
    return torch.load(folder / "model.pt", weights_only=True)["state_dict"]


def assert_equal_runs(left, right):
    ours, theirs = weights(left), weights(right)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert table(left) == table(right)
    numbers = [json.loads((folder / "metrics.json").read_text()) for folder in (left, right)]
    for metrics in numbers:
        times = {"seconds", "total_seconds", "images_per_second"}
        for key in times | {"model_sha256", "last_sha256", "epochs_sha256", "metrics_sha256"}:
            del metrics[key]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("epochs", [1, EPOCHS - 1, EPOCHS], ids=["early", "late", "at-the-end"])
def test_a_killed_run_goes_on_and_equals_one_that_was_not(start, tmp_path, epochs):
    straight = list(start(tmp_path / "straight"))
    stop_after(epochs, start(tmp_path / "killed"))
    assert not (tmp_path / "killed" / "metrics.json").exists()
    resumed = list(start(tmp_path / "killed"))
    assert [r.epoch for r in resumed] == [1, 2, 3]  # the earlier start's epochs are told again
    assert [timeless(asdict(r)) for r in resumed] == [timeless(asdict(r)) for r in straight]
    assert_equal_runs(tmp_path / "straight", tmp_path / "killed")


def test_a_run_killed_twice_trains_no_epoch_twice(start, tmp_path, monkeypatch):
    trained = []
    real = running.train

    def counting(state, *data):
        for result in real(state, *data):
            trained.append(result.epoch)
            yield result

    monkeypatch.setattr(running, "train", counting)
    stop_after(1, start(tmp_path))
    stop_after(2, start(tmp_path))
    list(start(tmp_path))
    assert trained == [1, 2, 3]


def test_a_run_killed_while_it_writes_its_model_only_writes_it(start, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "save_model", killed)
        with pytest.raises(KeyboardInterrupt):
            list(start(tmp_path))
    before = (tmp_path / "epochs.csv").read_bytes()
    list(start(tmp_path))
    assert (tmp_path / "epochs.csv").read_bytes() == before  # its times too: nothing was trained
    assert names(tmp_path) == MADE


def test_a_run_killed_between_checkpoint_and_table_still_gets_its_last_row(
    start, tmp_path, monkeypatch
):
    real = running.write_csv

    def killed_in_the_last_epoch(path, columns, rows):
        if len(rows) == EPOCHS:
            raise KeyboardInterrupt
        real(path, columns, rows)

    with monkeypatch.context() as patch:
        patch.setattr(running, "write_csv", killed_in_the_last_epoch)
        with pytest.raises(KeyboardInterrupt):
            list(start(tmp_path))
    list(start(tmp_path))
    assert [row["epoch"] for row in table(tmp_path)] == ["1", "2", "3"]


def test_while_it_runs_two_checkpoints_and_the_table_so_far_are_there(start, tmp_path):
    results = start(tmp_path)
    seen = []
    for result in results:
        kept = names(tmp_path / "checkpoints")
        seen.append((result.epoch, len(table(tmp_path)), [n for n in kept if n.endswith(".pt")]))
    assert seen == [
        (1, 1, ["epoch-0001.pt"]),
        (2, 2, ["epoch-0001.pt", "epoch-0002.pt"]),
        (3, 3, ["epoch-0002.pt", "epoch-0003.pt"]),
    ]


def test_at_the_end_the_checkpoints_are_gone(start, tmp_path):
    list(start(tmp_path))
    assert names(tmp_path) == MADE


def test_a_folder_is_finished_with_its_last_file_and_for_its_own_run_only(
    start, config, data, other_data, tmp_path
):
    owner = identity(config, data, data)
    assert not is_finished(tmp_path, owner)
    stop_after(EPOCHS, start(tmp_path))
    assert not is_finished(tmp_path, owner)
    list(start(tmp_path))
    assert is_finished(tmp_path, owner)
    assert not is_finished(tmp_path, identity(replace(config, seed=1), data, data))
    assert not is_finished(tmp_path, identity(config, other_data, data))


def relabelled(split):
    return Split(split.images, (split.labels + 1) % 10)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c, d, o: {"config": replace(c, dropout=0.3)}, id="settings"),
        pytest.param(lambda c, d, o: {"train_data": o}, id="training-images"),
        pytest.param(lambda c, d, o: {"train_data": relabelled(d)}, id="training-labels"),
        pytest.param(lambda c, d, o: {"val_data": o}, id="validation-images"),
        pytest.param(lambda c, d, o: {"val_data": None}, id="no-validation"),
    ],
)
@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
def test_a_folder_of_another_run_is_refused_with_a_remedy_and_kept(
    start, config, data, other_data, tmp_path, change, finished
):
    stop_after(EPOCHS + 1 if finished else 1, start(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    message = rf"^{tmp_path}: holds a run with other settings or on other images$"
    with pytest.raises(CheckpointError, match=message) as caught:
        list(start(tmp_path, **change(config, data, other_data)))
    assert caught.value.hint == "give this run a folder of its own, or delete that one"
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_metrics_hold_the_last_epoch_the_settings_and_where_it_came_from(
    start, config, data, tmp_path
):
    *_, last = start(tmp_path, provenance={"train_sha256": "abc", "seeds": [0, 1]})
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics.keys() == METRICS | {"seeds"}
    assert {key: metrics[key] for key in asdict(last)} == asdict(last)
    assert metrics["seeds"] == [0, 1]
    assert metrics["config"] == json.loads(json.dumps(asdict(config)))
    assert metrics["config_sha256"] == config.fingerprint()
    assert metrics["model_sha256"] == sha256_of(tmp_path / "model.pt")
    assert metrics["epochs_sha256"] == sha256_of(tmp_path / "epochs.csv")
    assert (metrics["device"], metrics["dtype"], metrics["threads"]) == ("cpu", "float32", 1)
    assert metrics["weights"] == "averaged"
    assert metrics["num_parameters"] == num_parameters(SEResNet(channels=config.channels))
    with (tmp_path / "epochs.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert metrics["total_seconds"] == pytest.approx(sum(seconds))


def test_the_saved_model_is_the_averaged_one_that_was_evaluated(start, config, data, tmp_path):
    *_, last = start(tmp_path)
    model, saved_config = load_model(tmp_path / "model.pt")
    loss, accuracy = evaluate(model, data, TrainState.create(config, CPU))
    assert saved_config == config
    assert loss == pytest.approx(last.val_loss, rel=1e-5)
    assert accuracy == last.val_accuracy


def test_the_last_weights_are_saved_beside_the_averaged_ones(start, data, tmp_path):
    *_, last = start(tmp_path)
    model, config = load_model(tmp_path / "last.pt")
    _, accuracy = evaluate(model, data, TrainState.create(config, CPU))
    assert accuracy == last.val_accuracy_raw


def test_last_weights_that_are_damaged_are_refused_and_those_that_are_gone_are_not(start, tmp_path):
    list(start(tmp_path))
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:-9])
    with pytest.raises(DamagedError, match=r"last\.pt: is damaged: last_sha256"):
        list(start(tmp_path))
    last.unlink()
    assert len(list(start(tmp_path))) == EPOCHS


def test_metrics_call_the_weights_raw_when_nothing_was_averaged(start, config, tmp_path):
    list(start(tmp_path, config=replace(config, epochs=1, warmup_epochs=0, ema_decay=0.0)))
    assert json.loads((tmp_path / "metrics.json").read_text())["weights"] == "raw"
    assert not (tmp_path / "last.pt").exists()


def test_without_a_validation_part_its_cells_are_empty(start, config, tmp_path):
    list(start(tmp_path, val_data=None))
    assert [row["val_accuracy"] for row in table(tmp_path)] == [""] * EPOCHS
    assert json.loads((tmp_path / "metrics.json").read_text())["val_accuracy"] is None


def test_the_test_set_is_evaluated_once_when_all_is_done(
    start, config, other_data, tmp_path, monkeypatch
):
    evaluated = []
    real = running.evaluate

    def counting(model, split, state):
        evaluated.append(state.epoch)
        return real(model, split, state)

    monkeypatch.setattr(running, "evaluate", counting)
    list(start(tmp_path, test_data=other_data))
    assert evaluated == [EPOCHS, EPOCHS]  # averaged weights, then raw ones
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics.keys() == METRICS | {"test_loss", "test_accuracy", "test_accuracy_raw"}
    model, _ = load_model(tmp_path / "model.pt")
    loss, accuracy = real(model, other_data, TrainState.create(config, CPU))
    assert metrics["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert metrics["test_accuracy"] == accuracy


def test_the_test_set_is_evaluated_on_the_device_of_the_training(other_data, monkeypatch):
    meta = torch.device("meta")  # any device that is not the CPU will do; this one is everywhere
    state = SimpleNamespace(device=meta, average=None, model=None, config=None, dtype=None)
    logits = torch.empty(len(other_data), 10, device=meta)
    monkeypatch.setattr(training, "predict", lambda *_, **__: logits)
    monkeypatch.setattr(training, "float", lambda _: 0.5, raising=False)  # meta holds no values
    assert running._test(state, other_data)["test_accuracy"] == 0.5


def test_a_run_that_diverges_keeps_its_epochs_and_is_not_finished(start, tmp_path, monkeypatch):
    real = running.train

    def diverging(state, *data):
        yield next(real(state, *data))
        raise DivergedError(2, "loss not finite at step 1 of 2")

    monkeypatch.setattr(running, "train", diverging)
    with pytest.raises(DivergedError, match="diverged in epoch 2"):
        list(start(tmp_path))
    assert [row["epoch"] for row in table(tmp_path)] == ["1"]
    assert names(tmp_path) == ["checkpoints", "epochs.csv", "run.sha256"]
