import logging
from dataclasses import replace

import pytest
import torch

from seresnet import checkpoint
from seresnet.errors import CheckpointError
from seresnet.train import TrainState, train

CPU = torch.device("cpu")


def numbers(result):
    """A result without its wall-clock times."""
    return replace(result, seconds=0.0, images_per_second=0.0)


def assert_equal_states(left, right):
    for name in ("model", "average"):
        ours, theirs = getattr(left, name).state_dict(), getattr(right, name).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert [numbers(r) for r in left.history] == [numbers(r) for r in right.history]


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=4, warmup_epochs=1)


def stopped_after(config, data, folder, epochs):
    """Train some epochs with a checkpoint after each, as a run that is then killed."""
    state = TrainState.create(config, CPU)
    for _, _ in zip(range(epochs), train(state, data, data), strict=False):
        checkpoint.save(state, folder)
    return state


@pytest.mark.parametrize("epochs", [1, 3], ids=["after-one-epoch", "after-three"])
def test_stop_and_resume_equals_never_stopping_bit_for_bit(config, tiny_split, tmp_path, epochs):
    straight = TrainState.create(config, CPU)
    list(train(straight, tiny_split, tiny_split))
    stopped_after(config, tiny_split, tmp_path, epochs)
    resumed = checkpoint.load(tmp_path, config=config, device=CPU)
    assert resumed.epoch == epochs
    list(train(resumed, tiny_split, tiny_split))
    assert_equal_states(straight, resumed)


def test_a_checkpoint_loads_back_equal(config, tiny_split, tmp_path):
    state = stopped_after(config, tiny_split, tmp_path, 2)
    assert_equal_states(state, checkpoint.load(tmp_path, config=config, device=CPU))


def test_the_two_newest_are_kept_and_nothing_else_is_left(config, tiny_split, tmp_path):
    stopped_after(config, tiny_split, tmp_path, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0003.pt", "epoch-0003.sha256", "epoch-0004.pt", "epoch-0004.sha256",
    ]  # fmt: skip


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(flip_a_bit, id="one-bit-flipped"),
        pytest.param(lambda p: p.write_bytes(p.read_bytes()[:1000]), id="truncated"),
        pytest.param(lambda p: p.write_bytes(b""), id="empty"),
        pytest.param(lambda p: p.with_suffix(".sha256").unlink(), id="checksum-missing"),
        pytest.param(
            lambda p: p.with_suffix(".sha256").write_bytes(b"\xff\x00"), id="checksum-bad"
        ),
    ],
)
def test_the_older_checkpoint_serves_when_the_newer_is_damaged(
    config, tiny_split, tmp_path, damage, caplog
):
    stopped_after(config, tiny_split, tmp_path, 3)
    damage(tmp_path / "epoch-0003.pt")
    with caplog.at_level(logging.WARNING):
        state = checkpoint.load(tmp_path, config=config, device=CPU)
    assert state.epoch == 2
    assert "epoch-0003.pt is damaged" in caplog.text


def test_a_folder_without_a_sound_checkpoint_gives_none(config, tmp_path):
    assert checkpoint.load(tmp_path / "nowhere", config=config, device=CPU) is None


def test_a_checkpoint_of_other_settings_is_refused(config, tiny_split, tmp_path):
    stopped_after(config, tiny_split, tmp_path, 1)
    other = replace(config, dropout=0.3)
    with pytest.raises(CheckpointError, match=r"epoch-0001\.pt: written by a run with other sett"):
        checkpoint.load(tmp_path, config=other, device=CPU)
