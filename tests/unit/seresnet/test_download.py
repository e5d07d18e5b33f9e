import errno
import http.client
import importlib.abc
import logging
import pickle
import socket
import subprocess
import sys
import types
import urllib.error
from pathlib import Path

import numpy as np
import pytest

from seresnet import download as module
from seresnet.data import load_labelled
from seresnet.download import URL, download
from seresnet.errors import DataError

FOLDER = "cifar-10-batches-py"
TRAIN_NAMES = [f"data_batch_{i}" for i in range(1, 6)]


def write_batches(folder, names=TRAIN_NAMES, value=0):
    folder.mkdir(parents=True, exist_ok=True)
    batch = {b"data": np.full((2, 3072), value, dtype=np.uint8), b"labels": [0, 1]}
    for name in names:
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


class FakeCifar10:
    """Stands in for torchvision's class: `download=True` unpacks batches of ones, or fails."""

    failure: BaseException | None = None
    roots: list[str]
    timeouts: list[float | None]

    def __init__(self, root, *, download):
        assert download
        self.roots.append(root)
        self.timeouts.append(socket.getdefaulttimeout())
        sys.stdout.write("Downloading")
        if self.failure is not None:
            write_batches(Path(root) / FOLDER, TRAIN_NAMES[:2])
            raise self.failure
        (Path(root) / "cifar-10-python.tar.gz").touch()
        write_batches(Path(root) / FOLDER, [*TRAIN_NAMES, "test_batch", "batches.meta"], value=1)


@pytest.fixture
def cifar10(monkeypatch):
    """Installs a fake torchvision and returns its CIFAR10 class."""
    fake = type("CIFAR10", (FakeCifar10,), {"roots": [], "timeouts": []})
    install(monkeypatch, fake)
    return fake


def install(monkeypatch, cifar10):
    package, datasets = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    package.__path__ = []
    datasets.CIFAR10 = cifar10
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)


def test_batches_lie_in_the_folder_and_nothing_else(tmp_path, cifar10):
    root = tmp_path / "new" / "data"
    download(root)
    assert load_labelled(root).images.unique().tolist() == [1]
    assert [path.name for path in root.iterdir()] == [FOLDER]
    assert (root / FOLDER / "test_batch").is_file()


def test_readable_batches_are_left_alone(tmp_path, cifar10):
    write_batches(tmp_path / FOLDER, value=7)
    download(tmp_path)
    assert cifar10.roots == []
    assert load_labelled(tmp_path).images.unique().tolist() == [7]


def test_incomplete_folder_is_replaced_with_a_warning(tmp_path, cifar10, caplog):
    write_batches(tmp_path / FOLDER, TRAIN_NAMES[:3], value=7)
    (tmp_path / FOLDER / "notes.txt").touch()
    with caplog.at_level(logging.WARNING):
        download(tmp_path)
    assert "could not all be read" in caplog.text
    assert load_labelled(tmp_path).images.unique().tolist() == [1]
    assert (tmp_path / FOLDER / "notes.txt").exists()


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (urllib.error.URLError("name not known"), "the network is not reachable: .*not known"),
        (urllib.error.HTTPError(URL, 503, "busy", None, None), "not reachable: .*503"),
        (TimeoutError("timed out"), "the network is not reachable: timed out"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the network is not reachable: .*reset"),
        (http.client.IncompleteRead(b""), "the network is not reachable: IncompleteRead"),
        (RuntimeError("File not found or corrupted."), "did not deliver the published archive"),
    ],
    ids=["no-name", "http", "timeout", "reset", "incomplete", "wrong-archive"],
)
def test_failed_download_names_the_archive_and_leaves_nothing(tmp_path, cifar10, failure, message):
    cifar10.failure = failure
    with pytest.raises(DataError, match=message) as caught:
        download(tmp_path)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(f"{tmp_path}: cannot download CIFAR-10")
    assert URL in caught.value.hint
    assert f"unpack cifar-10-python.tar.gz into {tmp_path}" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_interruption_leaves_nothing(tmp_path, cifar10):
    cifar10.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_failed_download_keeps_what_was_there(tmp_path, cifar10):
    write_batches(tmp_path / FOLDER, TRAIN_NAMES[:3], value=7)
    cifar10.failure = urllib.error.URLError("no route")
    with pytest.raises(DataError):
        download(tmp_path)
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == TRAIN_NAMES[:3]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS], ids=errno.errorcode.get)
def test_disk_trouble_is_not_blamed_on_the_network(tmp_path, cifar10, code):
    cifar10.failure = OSError(code, "disk trouble")
    with pytest.raises(DataError, match="cannot write CIFAR-10 here: disk trouble") as caught:
        download(tmp_path)
    assert "--data" in caught.value.hint


def test_file_in_place_of_the_folder_is_an_error_line(tmp_path, cifar10):
    (tmp_path / "data").touch()
    with pytest.raises(DataError, match="cannot write CIFAR-10 here"):
        download(tmp_path / "data")


def test_stdout_stays_clean(tmp_path, cifar10, capsys):
    download(tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading" in captured.err


def test_socket_timeout_holds_during_the_download_only(tmp_path, cifar10):
    before = socket.getdefaulttimeout()
    download(tmp_path, timeout=4.0)
    assert cifar10.timeouts == [4.0]
    assert socket.getdefaulttimeout() == before


class FailingImport(importlib.abc.MetaPathFinder):
    """Makes `import torchvision` raise."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            raise self.error


@pytest.fixture
def failing_import(monkeypatch):
    def failing_import(error):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [FailingImport(error), *sys.meta_path])

    return failing_import


NMS = RuntimeError("operator torchvision::nms does not exist")


def test_operators_are_declared_only_after_the_import_failed_on_them(
    tmp_path, cifar10, failing_import, monkeypatch
):
    failing_import(NMS)
    declared = []

    def declare():
        declared.append(True)
        install(monkeypatch, cifar10)

    monkeypatch.setattr(module, "_declare_operators", declare)
    download(tmp_path)
    assert declared == [True]
    assert len(load_labelled(tmp_path)) == 10


@pytest.mark.parametrize(
    "error",
    [
        NMS,
        ImportError("No module named 'torchvision'"),
        RuntimeError("Detected that PyTorch and torchvision were compiled with different CUDA"),
        OSError("libcudart.so.13: cannot open shared object file"),
    ],
    ids=["nms", "not-installed", "other-cuda", "library"],
)
def test_torchvision_that_cannot_be_imported_is_one_line_with_remedies(
    tmp_path, failing_import, monkeypatch, error
):
    failing_import(error)
    monkeypatch.setattr(module, "_declare_operators", lambda: None)
    with pytest.raises(DataError, match="torchvision: cannot be imported beside torch") as caught:
        download(tmp_path)
    assert str(error) in caught.value.message
    assert URL in caught.value.hint
    assert "torchvision build that matches torch" in caught.value.hint


def test_torchvision_is_imported_on_demand_and_works_here():
    """In a process of its own: declared operators stay, and other tests may declare them too."""
    code = (
        "import sys; from seresnet.download import import_cifar10; "
        "sys.stdout.write(f'{\"torchvision\" in sys.modules} {import_cifar10().tgz_md5}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "False c58f30108f718f92721af3b95e74349a", done.stderr
