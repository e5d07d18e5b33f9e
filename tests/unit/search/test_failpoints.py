"""Failpoints from the environment, and a run that is really killed at one."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from search.failpoints import arm
from seresnet import failpoints
from seresnet.failpoints import installed, reach

KILLED = 137
SCRIPT = """
import sys
from pathlib import Path
import torch
from search.failpoints import arm
from seresnet.config import TrainConfig
from seresnet.run import run
from seresnet.synthetic import make_synthetic

arm()
torch.set_num_threads(1)
data = make_synthetic(num=32, seed=1)
narrow = {"channels": (8, 8, 16, 16), "precision": "fp32", "batch_size": 32}
config = TrainConfig(epochs=3, warmup_epochs=1, **narrow)
places = {"folder": Path(sys.argv[1]), "device": torch.device("cpu"), "provenance": {}}
print([result.epoch for result in run(config, data, data, **places)])
"""


@pytest.fixture(autouse=True)
def disarmed(monkeypatch):
    """Neither an earlier environment nor a later action, whatever a test installs."""
    for name in ("SEARCH_FAILPOINT", "SEARCH_FAILPOINT_LOG"):
        monkeypatch.delenv(name, raising=False)
    with installed(lambda name, detail: None):
        yield


@pytest.fixture
def exits(monkeypatch):
    """The codes with which the process would have ended."""
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


@pytest.mark.parametrize(("text", "nth"), [("here", 1), ("here:1", 1), ("here:3", 3)])
def test_a_process_ends_as_if_killed_when_it_comes_to_the_place_for_the_nth_time(
    monkeypatch, exits, text, nth
):
    monkeypatch.setenv("SEARCH_FAILPOINT", text)
    arm()
    for passed in range(1, 5):
        reach("elsewhere")
        reach("here")
        assert exits == [KILLED] * (passed >= nth)


def test_an_environment_that_says_nothing_installs_nothing():
    before = failpoints._action
    arm()
    assert failpoints._action is before


def test_the_log_has_a_line_for_each_place_with_detail_and_process(tmp_path, monkeypatch, exits):
    monkeypatch.setenv("SEARCH_FAILPOINT_LOG", str(tmp_path / "log"))
    arm()
    reach("before-rename", "model.pt")
    reach("after-rename", "model.pt")
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == [f"{name}-rename model.pt {os.getpid()}" for name in ("before", "after")]
    assert exits == []


def killed_at(place, folder):
    """Run the script in a process of its own until it comes to the place."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SEARCH_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**kept, "SEARCH_FAILPOINT": place},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (KILLED, ""), done.stderr


def run_here(folder, monkeypatch, capsys):
    """Run the script in this process; return what the run left behind, without its times."""
    monkeypatch.setattr(sys, "argv", ["-c", str(folder)])
    runpy.run_path(str(folder.parent / "script.py"))
    assert capsys.readouterr().out == "[1, 2, 3]\n"
    metrics = json.loads((folder / "metrics.json").read_text())
    times = {"seconds", "images_per_second", "total_seconds", "epochs_sha256", "metrics_sha256"}
    return {key: value for key, value in metrics.items() if key not in times}


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("in-checkpoint:2", "checkpoints/.epoch-0002.pt.*.staged"),
        ("before-rename:15", ".metrics.json.*.tmp"),
    ],
)
def test_a_run_really_killed_equals_one_that_was_not(tmp_path, monkeypatch, capsys, place, left):
    (tmp_path / "script.py").write_text(SCRIPT)
    killed = tmp_path / "killed"
    killed_at(place, killed)
    assert len(list(killed.glob(left))) == 1  # nobody was left to clear it
    resumed = run_here(killed, monkeypatch, capsys)
    assert resumed == run_here(tmp_path / "whole", monkeypatch, capsys)  # model_sha256 too
    files = sorted(path.name for path in killed.rglob("*"))
    made = ["epochs.csv", "last.pt", "metrics.json", "model.pt", "model_card.md", "run.sha256"]
    assert files == [".attempt", *made]
