"""Two raylets on this machine: a cluster gives what one machine gives, and a node may be lost.

Ray decides about its token when it is imported, so every Ray here has a process of its own.
"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pandas as pd
import pytest

from search.results import read_epochs, read_trials

pytestmark = [pytest.mark.ray, pytest.mark.faults]

STUDY = """\
study: {num_trials: 4, min_epochs: 1, max_epochs: 2, reduction_factor: 2, seed: 3}
data: {source: synthetic, num_val: 256, num_train: 256}
train: {channels: [8, 8, 16, 16], warmup_epochs: 0, ema_decay: 0.5, precision: fp32}
space:
  lr: {low: 1e-3, high: 1.0, log: true}
  dropout: {low: 0.0, high: 0.5}
baseline: {lr: 0.1, dropout: 0.2}
sampler: {name: tpe, num_startup: 2}
"""
LONG_STUDY = (
    STUDY.replace("num_trials: 4", "num_trials: 3").replace("max_epochs: 2", "max_epochs: 20")
    + "pruner: {name: none}\n"  # or the node might be lost with nothing on it
)
WHERE_AND_WHEN = ["node", "seconds", "images_per_second"]


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-test"}
RAYLETS = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
node = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print("address", cluster.address, flush=True)
if sys.stdin.readline():
    cluster.remove_node(node, allow_graceful=False)
    print("removed", flush=True)
    sys.stdin.readline()
cluster.shutdown()
"""


class Raylets:
    """Two raylets of one CPU each; the first is the head."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-c", RAYLETS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment},
        )  # fmt: skip
        self.address = self._said("address")

    def _said(self, word):
        for line in self._process.stdout:
            if line.startswith(word):
                return line.removeprefix(word).strip()
        raise AssertionError("the raylets did not start")

    def lose_one(self):
        """Kill the raylet that is not the head, as if its machine were gone."""
        self._process.stdin.write("remove\n")
        self._process.stdin.flush()
        self._said("removed")

    def end(self):
        self._process.communicate(timeout=60)


@contextmanager
def raylets(environment):
    raylets = Raylets(environment)
    try:
        yield raylets
    finally:
        raylets.end()


@pytest.fixture
def cluster(monkeypatch):
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)
    with raylets(TOKEN) as cluster:
        yield cluster


@pytest.fixture
def start():
    """A function that starts the command on a study; its folder will be `folder/study`."""
    with ExitStack() as stack:

        def start(folder, study, *options):
            folder.mkdir(exist_ok=True)
            (folder / "study.yaml").write_text(study)
            command = [sys.executable, "-m", "search.tune", "--space", str(folder / "study.yaml")]
            command += ["--results", str(folder), "--no-retrain", *options]
            process = stack.enter_context(
                subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def finish(process):
    """Wait for the command's good end."""
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output


def tables(folder):
    """The tables of a study, without where and when."""
    trials, epochs = read_trials(folder / "study"), read_epochs(folder / "study")
    return trials.drop(columns=WHERE_AND_WHEN), epochs.drop(columns=WHERE_AND_WHEN[1:])


def wait_until(is_so, process, *, seconds=90):
    until = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, "nothing of the kind happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_cluster_with_one_worker_gives_the_tables_of_one_machine(tmp_path, start, cluster):
    here, there = tmp_path / "here", tmp_path / "there"
    finish(start(here, STUDY, "--max-concurrent", "1"))
    finish(start(there, STUDY, "--max-concurrent", "1", "--address", cluster.address))
    for ours, theirs in zip(tables(here), tables(there), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_f4_trials_of_a_lost_node_go_on_elsewhere_from_their_checkpoints(tmp_path, start, cluster):
    process = start(tmp_path, LONG_STUDY, "--address", cluster.address)
    checkpoints = tmp_path / "study" / "checkpoints"
    wait_until(lambda: all(list(checkpoints.glob(f"t000{k}/epoch-*.pt")) for k in (0, 1)), process)
    cluster.lose_one()
    finish(process)
    trials, epochs = read_trials(tmp_path / "study"), read_epochs(tmp_path / "study")
    assert set(trials["state"]) == {"COMPLETE"}, trials[["attempts", "error_kind", "error"]]
    assert sorted(trials["attempts"]) == [1, 1, 2]
    for trial, row in zip(trials["trial"], trials["epochs"], strict=True):
        assert list(epochs.loc[epochs["trial"] == trial, "epoch"]) == list(range(1, row + 1))


def run(script, *arguments):
    """What a script says, and how it ends."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


PROBE = """
import sys
from pathlib import Path
from search.engine.cluster import session
from search.engine.nodes import probe
from search.study.errors import MachineError

with session(address=sys.argv[1]):
    try:
        probe(Path(sys.argv[2]))
    except MachineError as error:
        print(error.as_text())
        sys.exit(error.exit_code)
"""


@pytest.mark.slow
def test_every_node_of_a_sound_cluster_is_asked_and_leaves_nothing(tmp_path, cluster):
    done = run(PROBE, cluster.address, tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_cluster_without_our_token_is_refused_before_a_trial_is_spent(tmp_path, monkeypatch):
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)
    with raylets({"RAY_AUTH_MODE": "disabled"}) as cluster:
        done = run(PROBE, cluster.address, tmp_path)
    assert done.returncode == 3, done.stderr
    assert "cannot run this program" in done.stdout
    assert "RAY_AUTH_MODE and token" in done.stdout


TWO_SESSIONS = """
import os, sys
from pathlib import Path
import ray
from search.engine.cluster import grant, session
from search.engine.nodes import probe
from search.study.sections import Resources

for most in (2, 1):
    with session(num_cpus=2, object_store_memory=100 * 2**20):
        probe(Path(sys.argv[1]))
        worker = ray.remote(lambda: os.environ.get("SEARCH_STORAGE_URL"))
        print(grant(Resources(), slots_at_most=most).slots, ray.get(worker.remote()))
print(os.environ["SEARCH_STORAGE_URL"])
"""


@pytest.mark.slow
def test_two_sessions_in_a_row_work_and_neither_shows_its_workers_the_database(
    tmp_path, monkeypatch
):
    """As after a host-memory kill, when Ray is started anew with fewer trials at once."""
    monkeypatch.setenv("SEARCH_STORAGE_URL", "postgresql://host/db")
    done = run(TWO_SESSIONS, tmp_path)
    assert done.stdout.split("\n")[:3] == ["2 None", "1 None", "postgresql://host/db"], done.stderr
