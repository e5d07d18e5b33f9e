"""The benchmark of the driver runs, on few trials."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def test_both_drivers_run_the_same_trials_and_the_ratio_comes_last():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "benchmarks/bench_driver.py", "--trials", "8", "--rounds", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {name.strip(): figures for name, *figures in (re.split(r"\s{2,}", x) for x in lines)}
    assert rows["trials"] == ["8", "8"]
    ours, stock = rows["reports"]
    assert ours == stock  # else their seconds would not compare
    for process in ("driver", "worker"):
        few, many = (float(rows[f"{process}'s peak at {n} trials, MiB"][0]) for n in (2, 8))
        assert 50 < few <= many
    assert float(re.fullmatch(r"ratio (\d+\.\d\d)", lines[-1])[1]) > 0
