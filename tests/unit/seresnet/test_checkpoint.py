import logging
import os
from dataclasses import replace

import pytest
import torch

from seresnet import checkpoint
from seresnet.errors import CheckpointError
from seresnet.fence import Fence, StaleAttemptError
from seresnet.files import sha256_of
from seresnet.synthetic import make_synthetic
from seresnet.train import DivergedError, TrainState, train

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


@pytest.fixture(scope="module")
def tiny_split():
    return make_synthetic(num=64, seed=5)


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=4, warmup_epochs=1)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


def test_a_checkpoint_that_is_saved_outlasts_a_power_cut(config, tiny_split, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(checkpoint, "sync_folder", lambda f: synced.append((f, names(f))))
    stopped_after(config, tiny_split, tmp_path, 1)
    ((folder, there),) = synced
    assert folder == tmp_path
    assert {"epoch-0001.pt", "epoch-0001.sha256"} <= set(there)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DIFFERS, NONE = "sha256 differs", "checksum missing"
DAMAGES = {
    "one-bit-flipped": (flip_a_bit, DIFFERS),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:1000]), DIFFERS),
    "empty": (lambda p: p.write_bytes(b""), DIFFERS),
    "zero-filled": (lambda p: p.write_bytes(bytes(p.stat().st_size)), DIFFERS),
    "checksum-missing": (lambda p: p.with_suffix(".sha256").unlink(), NONE),
    "checksum-bad": (lambda p: p.with_suffix(".sha256").write_bytes(b"\xff\x00"), DIFFERS),
    "checksum-empty": (lambda p: p.with_suffix(".sha256").write_bytes(b""), DIFFERS),
    "checksum-of-another": (
        lambda p: p.with_suffix(".sha256").write_bytes(
            p.with_name("epoch-0002.sha256").read_bytes()
        ),
        DIFFERS,
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_the_older_checkpoint_serves_when_the_newer_is_damaged(
    config, tiny_split, tmp_path, damage, reason, caplog
):
    stopped_after(config, tiny_split, tmp_path, 3)
    damage(tmp_path / "epoch-0003.pt")
    with caplog.at_level(logging.WARNING):
        state = checkpoint.load(tmp_path, config=config, device=CPU)
    assert state.epoch == 2
    expected = f"checkpoint epoch 3 of {tmp_path} is damaged ({reason}); using epoch 2"
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_with_both_checkpoints_damaged_training_starts_anew(config, tiny_split, tmp_path, caplog):
    stopped_after(config, tiny_split, tmp_path, 3)
    for epoch in (2, 3):
        flip_a_bit(tmp_path / f"epoch-000{epoch}.pt")
    assert checkpoint.load(tmp_path, config=config, device=CPU) is None
    assert [record.getMessage().split(" of ")[0] for record in caplog.records] == [
        "checkpoint epoch 3", "checkpoint epoch 2",
    ]  # fmt: skip
    assert all("; training from the start" in r.getMessage() for r in caplog.records)


def test_damaged_checkpoints_do_not_outlive_sound_ones_of_fewer_epochs(
    config, tiny_split, tmp_path
):
    stopped_after(config, tiny_split, tmp_path, 4)
    for epoch in (3, 4):
        flip_a_bit(tmp_path / f"epoch-000{epoch}.pt")
    stopped_after(config, tiny_split, tmp_path, 1)
    assert names(tmp_path) == ["epoch-0001.pt", "epoch-0001.sha256"]
    assert checkpoint.load(tmp_path, config=config, device=CPU).epoch == 1


def test_the_newest_is_that_of_the_largest_epoch_not_of_the_last_name_or_time(
    config, tiny_split, tmp_path
):
    stopped_after(config, tiny_split, tmp_path, 2)
    for epoch in ("0010", "00009", "10000"):  # damaged, so the warnings tell the order
        (tmp_path / f"epoch-{epoch}.pt").write_bytes(b"")
    future = 4_070_908_800  # 2099: a clock was wrong once
    os.utime(tmp_path / "epoch-0001.pt", (future, future))
    assert [epoch for epoch, _ in checkpoint._newest_first(tmp_path)] == [10_000, 10, 9, 2, 1]
    assert checkpoint.load(tmp_path, config=config, device=CPU).epoch == 2


def test_what_is_no_checkpoint_of_ours_is_left_alone(config, tiny_split, tmp_path):
    for name in ("epoch-final.pt", "epoch-1.pt", "notes.txt"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "epoch-0009.pt").mkdir()
    stopped_after(config, tiny_split, tmp_path, 3)
    assert checkpoint.load(tmp_path, config=config, device=CPU).epoch == 3
    assert {"epoch-final.pt", "epoch-1.pt", "notes.txt"} <= set(names(tmp_path))


def test_what_a_killed_process_left_half_written_is_deleted(config, tiny_split, tmp_path):
    stopped_after(config, tiny_split, tmp_path, 2)
    before = names(tmp_path)
    (tmp_path / ".epoch-0003.pt.17.staged").write_bytes(b"half")
    (tmp_path / "..epoch-0003.pt.17.staged.17.tmp").write_bytes(b"half")
    (tmp_path / "epoch-0003.sha256").write_text("of nothing")
    checkpoint.load(tmp_path, config=config, device=CPU)
    assert names(tmp_path) == before


def test_a_stale_attempt_leaves_the_folder_as_it_was(config, tiny_split, tmp_path):
    old = Fence.take(tmp_path)
    state = stopped_after(config, tiny_split, tmp_path, 1)
    Fence.take(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    state.history.append(replace(state.history[0], epoch=2))
    with pytest.raises(StaleAttemptError):
        checkpoint.save(state, tmp_path, fence=old)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def resave(folder, change, epoch=1):
    """Change what a checkpoint holds, with a checksum that fits."""
    path = folder / f"epoch-000{epoch}.pt"
    content = torch.load(path, weights_only=True)
    changed = change(content)
    torch.save(content if changed is None else changed, path)
    checksum = f"{sha256_of(path)}  {path.name}\n"
    path.with_suffix(".sha256").write_text(checksum)


def spoil(part, value):
    """Put a value among the weights of a part."""
    return lambda content: content[part]["stem.0.bias"][:1].fill_(value) and None


def spoil_momentum(content):
    content["momentum"]["stem.0.bias"].fill_(float("nan"))


def drop_keys(content):
    for name in list(content["model"])[:3]:
        del content["model"][name]
    content["model"]["more"] = torch.zeros(1)


FOREIGN = {
    "list": (lambda c: [1, 2], "cannot load this checkpoint: "),
    "no-history": (lambda c: c.pop("history") and None, "cannot load this checkpoint: 'history'"),
    "other-history": (lambda c: c["history"][0].update(mood=1), "cannot load .*mood"),
    "epoch-of-another": (
        lambda c: c["history"][0].update(epoch=2), "its history is not that of epochs 1 to 1"
    ),
    "no-momentum": (lambda c: c.update(momentum={}), "cannot load this checkpoint: "),
    "momentum-of-another": (
        lambda c: c["momentum"].update(more=torch.zeros(1)), "cannot load this checkpoint: 'more'"
    ),
    "momentum-of-another-shape": (
        lambda c: c["momentum"].update({"stem.0.bias": torch.zeros(1)}), "of another shape"
    ),
    "keys": (drop_keys, "is for another architecture: 3 missing, 1 unexpected key$"),
    "shape": (
        lambda c: c["average"].update({"stem.0.bias": torch.zeros(3)}),
        "is for another architecture: 0 missing, 0 unexpected keys, 1 of another shape or type$",
    ),
    "no-weights": (lambda c: c.update(model=7), r"is for another architecture: \d+ missing, 0"),
    "nan-weight": (spoil("model", float("nan")), "not finite in 1 of"),
    "inf-average": (spoil("average", float("inf")), "not finite in 1 of"),
    "nan-momentum": (spoil_momentum, "a momentum is of another shape or not finite"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_sound_file_that_is_no_checkpoint_of_ours_is_refused_with_its_name(
    config, tiny_split, tmp_path, change, message
):
    stopped_after(config, tiny_split, tmp_path, 1)
    resave(tmp_path, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load(tmp_path, config=config, device=CPU)
    assert caught.value.message.startswith(f"{tmp_path / 'epoch-0001.pt'}")
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_checkpoint_that_is_not_torchs_is_refused_though_its_checksum_fits(
    config, tiny_split, tmp_path
):
    stopped_after(config, tiny_split, tmp_path, 1)
    path = tmp_path / "epoch-0001.pt"
    path.write_text("<html>not found</html>")
    path.with_suffix(".sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
    with pytest.raises(CheckpointError, match=r"epoch-0001\.pt: cannot load this checkpoint: "):
        checkpoint.load(tmp_path, config=config, device=CPU)


def test_a_folder_of_checkpoints_that_is_a_link_is_refused(config, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="checkpoints: is a symbolic link"):
        checkpoint.load(tmp_path / "checkpoints", config=config, device=CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_end_the_run_and_are_never_saved(
    config, tiny_split, tmp_path, value
):
    state = stopped_after(config, tiny_split, tmp_path, 1)
    before = names(tmp_path)
    state.history.append(replace(state.history[0], epoch=2))
    with torch.no_grad():
        state.model.stem[0].bias[0] = value
    with pytest.raises(DivergedError, match="diverged in epoch 2: weights not finite"):
        checkpoint.save(state, tmp_path)
    assert names(tmp_path) == before


def test_a_run_without_momentum_resumes(config, tiny_split, tmp_path):
    config = replace(config, momentum=0.0)
    state = stopped_after(config, tiny_split, tmp_path, 1)
    assert_equal_states(state, checkpoint.load(tmp_path, config=config, device=CPU))


def test_a_folder_without_a_sound_checkpoint_gives_none(config, tmp_path):
    assert checkpoint.load(tmp_path / "nowhere", config=config, device=CPU) is None


def test_a_checkpoint_of_other_settings_is_refused(config, tiny_split, tmp_path):
    stopped_after(config, tiny_split, tmp_path, 1)
    other = replace(config, dropout=0.3)
    with pytest.raises(CheckpointError, match=r"epoch-0001\.pt: written by a run with other sett"):
        checkpoint.load(tmp_path, config=other, device=CPU)
