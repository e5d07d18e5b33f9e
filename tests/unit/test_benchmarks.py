"""The benchmarks of training run, on few steps, and say their ratios."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def run(script, *options):
    """What a benchmark prints with `--json`."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), "--json", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_training_is_compared_with_a_loaders_way_and_with_fixed_tensors():
    result = run("bench_training.py", "--rounds", "1", "--steps", "1", "--no-ray")
    rates = result["images_per_second"]
    assert rates.keys() == {"rival", "ours", "limit"}
    assert result["ratio_to_rival"] == pytest.approx(rates["ours"] / rates["rival"], rel=0.02)
    assert result["ratio_to_limit"] == pytest.approx(rates["ours"] / rates["limit"], rel=0.02)


def test_fused_trainings_are_compared_with_turns():
    result = run("bench_fused.py", "--trials", "2", "--rounds", "1", "--steps", "1")
    assert result["trials"] == 2
    assert result["ratio"] == pytest.approx(result["fused"] / result["in_turns"], rel=0.02)
