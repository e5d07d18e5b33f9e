"""What `python -m seresnet train` says where its folder cannot be gone on with."""

import re

import pytest

from seresnet import __main__ as command
from seresnet import run as running
from seresnet import synthetic
from seresnet.fence import Fence
from seresnet.synthetic import make_synthetic

NARROW = ["warmup_epochs=0", "channels=(8, 8, 16, 16)", "batch_size=32", "precision=fp32"]


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """Run the command in this process, on few images; return exit code, stdout and stderr."""
    few = make_synthetic(num=40, seed=0), make_synthetic(num=20, seed=1)
    monkeypatch.setattr(synthetic, "load_synthetic", lambda: few)

    def called():
        pairs = [part for setting in NARROW for part in ("--set", setting)]
        argv = ["train", "--data", "synthetic", "--epochs", "1", "--num-val", "10", *pairs]
        code = command.main([*argv, "--out", str(tmp_path / "out"), "--device", "cpu"])
        return code, *capsys.readouterr()

    return called


@pytest.mark.parametrize("name", ["model.pt", "metrics.json", "epochs.csv"])
def test_a_finished_training_whose_file_is_damaged_is_two_lines_and_no_number(
    train, tmp_path, name
):
    assert train()[0] == 0
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes()[:-20])
    code, stdout, stderr = train()
    assert (code, stdout) == (2, "")
    assert re.search(rf"^error: {path}: is damaged: ", stderr, re.M)
    assert re.search(rf"^hint: delete {tmp_path / 'out'} and run the same command", stderr, re.M)
    assert "Traceback" not in stderr


def test_a_training_whose_folder_another_process_has_taken_up_ends_without_a_traceback(
    train, tmp_path, monkeypatch
):
    real = running.train

    def overtaken(state, *data):
        for result in real(state, *data):
            Fence.take(tmp_path / "out")
            yield result

    monkeypatch.setattr(running, "train", overtaken)
    code, stdout, stderr = train()
    assert (code, stdout) == (3, "")
    assert f"error: {tmp_path / 'out'}: another process trains here now\nhint: " in stderr
    assert "Traceback" not in stderr
