"""A second host on this machine: a raylet in namespaces of its own. Needs root."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import search
import seresnet
from search.results import read_epochs, read_trials

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"),
        reason="namespaces need root, unshare and ip",
    ),
]

NETWORK = "search-test"
HERE, THERE = "10.77.213.1", "10.77.213.2"
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-test"}
STUDY = """\
study: {num_trials: 4, min_epochs: 2, max_epochs: 4, reduction_factor: 2, seed: 3}
data: {source: synthetic, num_val: 256, num_train: 256}
train: {channels: [8, 8, 16, 16], warmup_epochs: 0, ema_decay: 0.5, precision: fp32}
space:
  dropout: {low: 0.0, high: 0.5}
baseline: {dropout: 0.2}
sampler: {name: random}
pruner: {name: none}
"""
RAY = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1"]
RAY += ["--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000"]
PORT = 21379


@contextmanager
def started(command):
    """A process that is ended with all that it started."""
    process = subprocess.Popen(
        command, env={**os.environ, **TOKEN}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)


def in_namespace(*hidden):
    """A raylet's command on another host, which sees empty folders in place of some of ours."""
    mounts = "".join(f"mount -t tmpfs none '{folder}' && " for folder in hidden)
    start = " ".join([*RAY, f"--address={HERE}:{PORT}", f"--node-ip-address={THERE}"])
    return [
        "ip", "netns", "exec", NETWORK, "unshare", "--mount", "--uts",
        "sh", "-c", f"hostname other-host && {mounts} exec {start}",
    ]  # fmt: skip


@pytest.fixture
def network():
    """Two hosts, joined by a cable."""

    def ip(*words, check=True):
        return subprocess.run(["ip", *words], check=check, capture_output=True)

    ip("netns", "del", NETWORK, check=False)
    if ip("netns", "add", NETWORK, check=False).returncode != 0:
        pytest.skip("network namespaces cannot be made here")
    try:
        ip("link", "add", "search0", "type", "veth", "peer", "name", "search1", "netns", NETWORK)
        ip("addr", "add", f"{HERE}/24", "dev", "search0")
        ip("link", "set", "search0", "up")
        for words in (
            ("addr", "add", f"{THERE}/24", "dev", "search1"),
            ("link", "set", "search1", "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", NETWORK, *words)
        yield
    finally:
        ip("netns", "del", NETWORK, check=False)


@pytest.fixture
def hosts(network):
    """A function that starts the head here, and a raylet there that does not see some folders."""
    with ExitStack() as stack:

        def start(*hidden):
            head = [*RAY, "--head", f"--port={PORT}", f"--node-ip-address={HERE}"]
            stack.enter_context(started([*head, "--include-dashboard=false"]))
            stack.enter_context(started(in_namespace(*hidden)))

        yield start


WAIT = """
import sys, time
from search.engine.cluster import session
import ray
with session(address=sys.argv[1]):
    until = time.monotonic() + 60
    while len([node for node in ray.nodes() if node["Alive"]]) < 2 and time.monotonic() < until:
        time.sleep(0.2)
    sys.exit(time.monotonic() >= until)
"""
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


def python(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env={**os.environ, **TOKEN},
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


def wait_for_both():
    until = time.monotonic() + 30
    while (done := python("-c", WAIT, f"{HERE}:{PORT}")).returncode:
        assert time.monotonic() < until, done.stderr
        time.sleep(1)


def test_a_host_that_lacks_our_code_takes_part_in_a_study(hosts, tmp_path):
    hosts(*(Path(package.__path__[0]) for package in (search, seresnet)))
    wait_for_both()
    (tmp_path / "study.yaml").write_text(STUDY)
    done = python(
        "-m", "search.tune", "--space", tmp_path / "study.yaml", "--results", tmp_path,
        "--address", f"{HERE}:{PORT}", "--no-retrain",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trials, epochs = read_trials(tmp_path / "study"), read_epochs(tmp_path / "study")
    assert set(trials["state"]) == {"COMPLETE"}
    assert len(epochs) == 16
    assert "other-host" in set(trials["node"])


def test_a_host_with_another_study_folder_is_refused_by_name(hosts, tmp_path):
    hosts(tmp_path)
    wait_for_both()
    done = python("-c", PROBE, f"{HERE}:{PORT}", tmp_path)
    assert done.returncode == 3, done.stderr
    assert f"node {THERE} (other-host): {tmp_path}: what the driver's machine writes" in done.stdout
    assert "--results on a file system that every node sees" in done.stdout
    assert not list(tmp_path.iterdir())
