"""A run killed at each place of its write paths, then started again: as if never killed."""

import csv
import json
from dataclasses import replace

import pytest
import torch

from seresnet import failpoints
from seresnet import run as running
from seresnet.data import Split
from seresnet.failpoints import install, installed, reach
from seresnet.run import read_metrics, run
from seresnet.submission import write_submission
from seresnet.synthetic import make_synthetic

CPU = torch.device("cpu")
EPOCHS = 2


class Killed(BaseException):
    """What nothing catches, as nothing catches `kill -9`."""


def write(name):
    return [("before-rename", name), ("after-rename", name)]


def places_of_epoch(epoch):
    name = f"epoch-{epoch:04d}"
    return [
        *write(f".{name}.pt.staged"), *write(f"{name}.sha256"), ("in-checkpoint", f"{name}.pt"),
        ("after-checkpoint", f"{name}.pt"), *write("epochs.csv"),
    ]  # fmt: skip


PLACES = [
    *write("run.sha256"), *places_of_epoch(1), *places_of_epoch(2), *write("epochs.csv"),
    ("before-model", "run"), *write("model.pt"), *write("last.pt"), ("after-model", "run"),
    *write("model_card.md"), *write("metrics.json"),
]  # fmt: skip


def unpublished(name, detail):
    """Whether the epoch in work has no checkpoint yet at a place, and so is trained again."""
    return name == "in-checkpoint" or (
        detail.endswith((".staged", ".sha256")) and "epoch" in detail
    )


@pytest.fixture(scope="module")
def data() -> Split:
    return make_synthetic(num=32, seed=1)


@pytest.fixture
def trained(monkeypatch):
    """The epochs that were trained, those trained twice twice."""
    epochs, real = [], running.train

    def counting(state, *data):
        for result in real(state, *data):
            epochs.append(result.epoch)
            yield result

    monkeypatch.setattr(running, "train", counting)
    return epochs


@pytest.fixture
def start(tiny_config, data):
    config = replace(tiny_config, epochs=EPOCHS, batch_size=32)
    return lambda folder: list(
        run(config, data, data, folder=folder / "run", device=CPU, provenance={})
    )


def recorded(act=lambda number: None):
    """Return an action that notes each place, and the list that it notes them in."""
    passed = []

    def action(name, detail):
        parts = detail.split(".")  # without the process's number
        passed.append((name, ".".join(part for part in parts if not part.isdigit())))
        act(len(passed))

    return action, passed


def outcome(folder):
    """What a run left behind, without its times: weights, table and metrics."""
    with (folder / "run" / "epochs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = read_metrics(folder / "run")
    for each in (metrics, *rows):
        for key in ("seconds", "images_per_second", "total_seconds", "epochs_sha256"):
            each.pop(key, None)
    return metrics, rows  # model_sha256 is among the metrics: equal weights, bit for bit


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Where the run that nobody killed lies."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def expected(whole, start):
    start(whole)
    return outcome(whole)


def test_a_run_passes_these_places_and_no_others(start, tmp_path):
    action, passed = recorded()
    with installed(action):
        start(tmp_path)
    assert passed == PLACES


@pytest.mark.parametrize("number", range(1, len(PLACES) + 1), ids=lambda n: f"{n:02d}")
def test_a_run_killed_at_any_place_equals_one_that_was_not(
    start, expected, trained, tmp_path, number
):
    def kill(passed):
        if passed == number:
            raise Killed

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".metrics.json.17.tmp").write_text("half, of an earlier kill")
    with installed(recorded(kill)[0]), pytest.raises(Killed):
        start(tmp_path)
    results = start(tmp_path)
    assert [result.epoch for result in results] == [1, 2]
    assert outcome(tmp_path) == expected
    left = sorted(path.name for path in (tmp_path / "run").iterdir())
    made = ["epochs.csv", "last.pt", "metrics.json", "model.pt", "model_card.md", "run.sha256"]
    assert left == [".attempt", *made]
    assert len(trained) - EPOCHS == unpublished(*PLACES[number - 1])


def test_a_run_killed_after_its_end_is_told_from_its_files_and_cleared(start, trained, tmp_path):
    first = start(tmp_path)
    (tmp_path / "run" / "checkpoints").mkdir()  # as after a kill before they were deleted
    (tmp_path / "run" / "checkpoints" / "epoch-0002.pt").write_bytes(b"a checkpoint")
    assert start(tmp_path) == first
    assert trained == [1, 2]
    assert not (tmp_path / "run" / "checkpoints").exists()


def submit(path):
    logits = torch.eye(10)
    write_submission(logits, torch.arange(10), path, num_parameters=1, run="mine", provenance={})


@pytest.mark.parametrize("number", range(1, 6))
def test_a_submission_killed_at_any_place_is_written_by_the_next_start(tmp_path, number):
    submit(tmp_path / "whole.csv")

    def kill(passed):
        if passed == number:
            raise Killed

    action, passed = recorded(kill)
    with installed(action), pytest.raises(Killed):
        submit(tmp_path / "a" / "whole.csv")
    submit(tmp_path / "a" / "whole.csv")
    for name in ("whole.csv", "whole.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert len(list((tmp_path / "a").iterdir())) == 2
    order = [*write("whole.json"), ("in-submission", "whole.csv"), *write("whole.csv")]
    assert passed == order[:number]


def test_the_sidecar_of_a_submission_cut_short_does_not_vouch_for_the_old_one(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("ID,Labels\n")
    path.with_suffix(".json").write_text('{"run": "mine", "sha256": "old"}')

    def kill(name, _):
        if name == "in-submission":
            raise Killed

    with installed(kill), pytest.raises(Killed):
        submit(path)
    assert path.read_text() == "ID,Labels\n"
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] != "old"


def test_an_action_is_called_with_place_and_detail_until_its_block_ends():
    seen = []
    with installed(lambda *place: seen.append(("outer", *place))):
        with installed(lambda *place: seen.append(("inner", *place))):
            reach("a-place", "a file")
        reach("a-place")
    reach("a-place")
    assert seen == [("inner", "a-place", "a file"), ("outer", "a-place", "")]


def test_a_block_that_raises_restores_the_former_action_too():
    before = failpoints._action
    with pytest.raises(Killed), installed(lambda *_: None):
        raise Killed
    assert failpoints._action is before
    install(before)
