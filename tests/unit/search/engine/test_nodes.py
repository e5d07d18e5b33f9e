"""The probe of a cluster's nodes, with a pretended cluster: its tasks run in this process."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from search.engine import nodes
from search.engine.nodes import code_hash, probe, versions
from search.study.errors import MachineError

HERE, THERE = "aa" * 28, "bb" * 28  # as Ray names nodes


class FakeCluster:
    """Two nodes: this one, and one which may be made to misbehave."""

    def __init__(self):
        self.alive = {HERE, THERE}
        self.asks = []
        self.runtime_env = {"py_modules": ["gcs://search"]}
        self.changes = {}
        self.folder = None  # what that one has in place of the study folder
        self.error = None
        self.is_silent = False
        self._node = HERE

    def nodes(self):
        return [
            {"NodeID": name, "Alive": name in self.alive, "NodeManagerAddress": f"10.0.0.{k}",
             "NodeManagerHostname": f"host{k}"}
            for k, name in enumerate((HERE, THERE), start=1)
        ]  # fmt: skip

    def context(self):
        return SimpleNamespace(get_node_id=lambda: self._node, runtime_env=self.runtime_env)

    def remote(self, **options):
        assert options == {"num_cpus": 0}  # a node whose CPUs are all taken answers too

        def at(scheduling_strategy):
            return SimpleNamespace(remote=lambda: self._actor(scheduling_strategy.node_id))

        return lambda _: SimpleNamespace(options=at)

    def _actor(self, name):
        return SimpleNamespace(
            describe=SimpleNamespace(
                remote=lambda marker, secret: self.asks.append(name) or (name, marker, secret)
            )
        )

    def wait(self, asked, *, num_returns, timeout):
        silent = [ask for ask in asked if ask[0] == THERE and self.is_silent]
        return [ask for ask in asked if ask not in silent], silent

    def get(self, ask):
        name, marker, secret = ask
        if name == THERE and self.error is not None:
            raise self.error
        if name == THERE and self.folder is not None:
            marker = str(self.folder / Path(marker).name)
        self._node = name
        try:
            answer = nodes.describe(marker, secret)
        finally:
            self._node = HERE
        return answer | (self.changes if name == THERE else {})


@pytest.fixture
def cluster(monkeypatch):
    cluster = FakeCluster()
    monkeypatch.setattr(nodes, "CACHE_SECONDS", 0.3)
    monkeypatch.setattr(ray, "nodes", cluster.nodes)
    monkeypatch.setattr(ray, "get_runtime_context", cluster.context)
    for name in ("remote", "wait", "get"):
        monkeypatch.setattr(ray, name, getattr(cluster, name))
    return cluster


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())  # whatever happened


def refusal(folder):
    with pytest.raises(MachineError) as caught:
        probe(folder)
    assert caught.value.exit_code == 3
    return caught.value


def test_every_live_node_is_asked(cluster, folder, caplog):
    probe(folder)
    assert cluster.asks == [HERE, THERE]
    assert not caplog.records


def test_a_dead_node_is_not_asked(cluster, folder):
    cluster.alive = {HERE}
    probe(folder)
    assert cluster.asks == [HERE]


def test_this_machine_alone_is_not_asked(cluster, folder):
    cluster.alive, cluster.runtime_env = {HERE}, {}
    probe(folder)
    assert not cluster.asks


def test_a_node_with_another_file_system_is_named(cluster, folder, tmp_path):
    cluster.folder = tmp_path / "elsewhere"
    error = refusal(folder)
    assert "node 10.0.0.2 (host2)" in error.message
    assert f"{folder}: what the driver's machine writes is not seen there" in error.message
    assert "--results on a file system that every node sees" in error.hint


def test_a_node_that_writes_elsewhere_is_named(cluster, folder):
    cluster.changes = {"node": "another"}
    assert "10.0.0.2" in refusal(folder).message
    assert "what it writes there is not seen here" in refusal(folder).message


def test_a_node_that_cannot_write_is_named(cluster, folder, monkeypatch):
    def describe(marker, secret):
        return {"problem": "it cannot write there: Permission denied"}

    monkeypatch.setattr(nodes, "describe", describe)
    error = refusal(folder)
    assert "node 10.0.0.1 (host1)" in error.message
    assert "Permission denied (1 more of 2 nodes have a problem)" in error.message


def test_a_node_says_why_it_cannot_write(cluster, tmp_path):
    (tmp_path / "driver").write_text("s3cret")
    (tmp_path / HERE).write_text("in the way")
    assert nodes.describe(str(tmp_path), "s3cret") == {
        "problem": "it cannot write there: File exists"
    }


def test_a_file_that_shows_late_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "late"
    monkeypatch.setattr(nodes.time, "sleep", lambda _: path.write_text("text"))
    assert nodes._read(path) == "text"


def test_a_folder_that_cannot_be_written_here_is_refused(cluster, tmp_path):
    with pytest.raises(MachineError, match="cannot be written: No such file"):
        probe(tmp_path / "missing")


def test_a_node_that_does_not_answer_is_named(cluster, folder):
    cluster.is_silent = True
    error = refusal(folder)
    assert "node 10.0.0.2 (host2) does not answer within 60 s" in error.message
    assert str(folder) in error.message


def test_a_node_that_cannot_run_the_program_is_named(cluster, folder):
    cluster.error = ray.exceptions.RaySystemError("No module named 'optuna'")
    error = refusal(folder)
    assert "node 10.0.0.2 (host2) cannot run this program" in error.message
    assert "No module named 'optuna'" in error.message
    assert "same Python" in error.hint


def test_a_node_that_left_meanwhile_is_gone_without(cluster, folder, caplog, monkeypatch):
    get = cluster.get

    def leave(ask):
        if ask[0] == THERE:
            cluster.alive = {HERE}
            raise ray.exceptions.RaySystemError("gone")
        return get(ask)

    monkeypatch.setattr(ray, "get", leave)
    probe(folder)
    assert "host2) has left the cluster; going on without it" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"python": "2.7"}, "runs python 2.7, this process 3.", id="python"),
        pytest.param({"ray": "1.0"}, "runs ray 1.0, this process", id="ray"),
        pytest.param({"code": "0123"}, "runs code 0123, this process", id="code"),
        pytest.param({"optuna": "", "torch": ""}, "lacks torch, optuna", id="missing"),
    ],
)
def test_a_node_with_other_software_is_named(cluster, folder, change, message):
    cluster.changes = change
    error = refusal(folder)
    assert "node 10.0.0.2 (host2)" in error.message
    assert message in error.message


def test_another_torch_is_a_warning(cluster, folder, caplog):
    cluster.changes = {"torch": "1.0"}
    probe(folder)
    assert "host2) has torch 1.0, this process" in caplog.text


def test_the_code_is_told_apart_by_its_contents(monkeypatch, tmp_path):
    def package(name, text):
        root = tmp_path / name
        root.mkdir()
        (root / "a.py").write_text(text)
        (root / "notes.txt").write_text(name)
        return SimpleNamespace(__name__="a", __path__=[str(root)])

    hashes = []
    for name, text in (("one", "x = 1"), ("copy", "x = 1"), ("other", "x = 2")):
        monkeypatch.setattr(nodes, "PACKAGES", (package(name, text),))
        hashes.append(code_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_versions_are_told_without_importing_what_is_slow():
    assert versions()["torch"]
    assert versions()["python"].count(".") == 1
