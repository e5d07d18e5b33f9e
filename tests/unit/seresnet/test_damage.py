"""Damage to every file that a run reads back: refused or worked around, never a wrong number."""

import random
import shutil
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seresnet import checkpoint
from seresnet import run as running
from seresnet.errors import CheckpointError, DamagedError
from seresnet.fence import Fence, StaleAttemptError
from seresnet.files import sha256_of
from seresnet.model_file import load_model
from seresnet.run import claim, holder, read_metrics, run
from seresnet.synthetic import make_synthetic
from seresnet.train import TrainState, train

CPU = torch.device("cpu")
NUM = 60  # damages of each kind and file
repeated = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def data():
    return make_synthetic(num=64, seed=1)


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=3, batch_size=32)


@pytest.fixture
def start(config, data):
    return lambda folder: list(
        run(config, data, data, folder=folder, device=CPU, provenance={"made_by": "a test"})
    )


@pytest.fixture
def finished(start, tmp_path):
    """A complete run, and its results."""
    return tmp_path / "run", start(tmp_path / "run")


@pytest.fixture
def stopped(config, data, tmp_path):
    """The checkpoint of a run that was killed after its first epoch."""
    state = TrainState.create(config, CPU)
    next(train(state, data, data))
    checkpoint.save(state, tmp_path / "stopped")
    return tmp_path / "stopped"


def damages(content):
    """Yield a file's content truncated, with a bit flipped, filled with zeros, and empty."""
    draw = random.Random(0)
    lengths = {0, len(content) - 1, *(draw.randrange(len(content)) for _ in range(NUM))}
    yield from (content[:length] for length in sorted(lengths))
    for _ in range(NUM):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        yield bytes(flipped)
    yield bytes(len(content))
    yield content + b"\x00"


def no_training(monkeypatch):
    monkeypatch.setattr(running, "train", lambda *_: pytest.fail("it trained again"))


@pytest.mark.parametrize("name", ["model.pt", "metrics.json", "epochs.csv"])
def test_a_finished_run_whose_file_is_damaged_is_refused_by_the_files_name(
    start, finished, monkeypatch, name
):
    folder, results = finished
    no_training(monkeypatch)
    metrics, content = read_metrics(folder), (folder / name).read_bytes()
    refused = []
    for damaged in damages(content):
        (folder / name).write_bytes(damaged)
        try:
            told = start(folder)
        except DamagedError as error:
            refused.append(error)
        else:  # a space turned into another one changes no number
            assert name == "metrics.json"
            assert (told, read_metrics(folder)) == (results, metrics)
    assert len(refused) > NUM
    for error in refused:
        assert error.message.startswith(f"{folder / name}: is damaged: ")
        assert len(error.message.splitlines()) == 1
        assert f"delete {folder} and run the same command again" in error.hint
    (folder / name).write_bytes(content)
    assert start(folder) == results


@pytest.mark.parametrize("name", ["metrics.json", "epochs.csv"])
def test_a_file_that_is_missing_is_never_taken_for_a_finished_one(finished, name):
    folder, _ = finished
    (folder / name).unlink()
    with pytest.raises(DamagedError, match=name):
        read_metrics(folder)


def test_a_run_whose_model_is_missing_is_trained_again(start, finished, caplog):
    folder, results = finished
    (folder / "model.pt").unlink()
    again = start(folder)
    assert [r.val_loss for r in again] == [r.val_loss for r in results]
    assert f"{folder}: model.pt is missing, so it is trained again" in caplog.text
    read_metrics(folder)


def test_a_damaged_model_is_never_used_with_other_weights(finished):
    path = finished[0] / "model.pt"
    content, sha256 = path.read_bytes(), sha256_of(path)
    sound = load_model(path)[0].state_dict()
    refused = 0
    for damaged in damages(content):
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match=r"model\.pt: cannot load this model: "):
            load_model(path, sha256=sha256)
        try:
            loaded = load_model(path)[0].state_dict()
        except DamagedError:
            refused += 1
        else:  # the flip lies in what the archive pads with, or says twice
            assert all(torch.equal(loaded[name], sound[name]) for name in sound)
    assert refused > NUM


@pytest.mark.parametrize("name", ["epoch-0001.pt", "epoch-0001.sha256"])
def test_a_damaged_checkpoint_never_loads(config, stopped, name):
    content = (stopped / name).read_bytes()
    for damaged in damages(content):
        (stopped / name).write_bytes(damaged)
        assert checkpoint.load(stopped, config=config, device=CPU) is None
    (stopped / name).write_bytes(content)
    assert checkpoint.load(stopped, config=config, device=CPU).epoch == 1


def test_a_run_that_goes_on_from_the_older_checkpoint_equals_one_that_was_not_damaged(
    config, data, start, finished, tmp_path, caplog
):
    whole, results = finished
    cut = run(config, data, data, folder=tmp_path / "cut", device=CPU, provenance={})
    for _, _ in zip(range(2), cut, strict=False):
        pass
    cut.close()
    newest = tmp_path / "cut" / "checkpoints" / "epoch-0002.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    again = start(tmp_path / "cut")
    assert [r.val_loss for r in again] == [r.val_loss for r in results]
    assert "damaged (sha256 differs); using epoch 1" in caplog.text
    ours, theirs = (load_model(f / "model.pt")[0].state_dict() for f in (whole, tmp_path / "cut"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@given(st.binary(max_size=80))
@repeated
def test_a_folder_whose_owner_is_any_bytes_is_refused_and_kept(tmp_path, content):
    (tmp_path / "run.sha256").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"run\.sha256 is damaged: it is no SHA-256"):
        claim(tmp_path, "ab" * 32)
    assert (tmp_path / "run.sha256").read_bytes() == content
    assert holder(tmp_path) != "ab" * 32


def test_a_damaged_owner_is_never_taken_for_the_run(tmp_path):
    owner = "0123456789abcdef" * 4
    claim(tmp_path, owner)
    content = (tmp_path / "run.sha256").read_bytes()
    for damaged in damages(content):
        (tmp_path / "run.sha256").write_bytes(damaged)
        with pytest.raises(CheckpointError):
            claim(tmp_path, owner)


def test_a_run_whose_owner_is_missing_is_refused_and_kept(start, finished):
    folder, _ = finished
    (folder / "run.sha256").unlink()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    message = r"holds model\.pt, metrics\.json, but no run\.sha256 that says of which run"
    with pytest.raises(CheckpointError, match=message):
        start(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@given(st.binary(max_size=80))
@repeated
def test_an_attempt_of_any_bytes_begins_anew(tmp_path, content):
    (tmp_path / ".attempt").write_bytes(content)
    fence = Fence.take(tmp_path)
    assert fence.attempt == 1
    with fence.held():
        pass
    assert Fence.take(tmp_path).attempt == 2


def test_an_attempt_with_any_bit_flipped_lets_no_older_one_write_and_the_next_begin(tmp_path):
    Fence(tmp_path, 4).claim()
    content = (tmp_path / ".attempt").read_bytes()
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / ".attempt").write_bytes(flipped)
        with pytest.raises(StaleAttemptError), Fence(tmp_path, 3).held():
            pass
        Fence(tmp_path, 5).claim()


@given(st.binary(max_size=120))
@repeated
def test_a_checksum_of_any_bytes_trusts_no_checkpoint(tmp_path, content):
    shutil.rmtree(tmp_path / "c", ignore_errors=True)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "epoch-0001.pt").write_bytes(b"a checkpoint")
    (tmp_path / "c" / "epoch-0001.sha256").write_bytes(content)
    assert checkpoint.load(tmp_path / "c", config=None, device=CPU) is None


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@repeated
def test_metrics_of_any_bytes_are_refused(tmp_path, content):
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(DamagedError, match=r"metrics\.json: is damaged: "):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "null", "[1]", '{"metrics_sha256": 1}', "1" * 5000]
)
def test_metrics_of_another_kind_are_refused(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DamagedError, match=r"metrics\.json: is damaged: "):
        read_metrics(tmp_path)
