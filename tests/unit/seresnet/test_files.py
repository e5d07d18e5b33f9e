import errno
import os
import resource
import stat
import subprocess
import sys
from contextlib import contextmanager

import pytest

from seresnet.files import sha256_of, sync_folder, write_atomically, write_csv, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_in_a_folder_made_for_it(tmp_path):
    path = tmp_path / "new" / "deeper" / "file.bin"
    write_atomically(path, lambda file: file.write(b"\x00whole"))
    assert path.read_bytes() == b"\x00whole"
    assert names(path.parent) == ["file.bin"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    seen = []

    def write(file):
        file.write(b"half of the ")
        file.flush()
        seen.append(path.read_text())
        file.write(b"new")

    write_atomically(path, write)
    assert seen == ["old"]
    assert path.read_text() == "half of the new"


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("existing", [["file.txt"], []], ids=["old-file", "no-file"])
def test_a_writer_that_fails_leaves_what_was_there_and_no_temporary_file(tmp_path, error, existing):
    path = tmp_path / "file.txt"
    for name in existing:
        (tmp_path / name).write_text("old")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(path, write)
    assert names(tmp_path) == existing
    assert [(tmp_path / name).read_text() for name in existing] == ["old"] * len(existing)


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path):
    (tmp_path / "file.txt").mkdir()
    with pytest.raises(OSError, match=r"file\.txt"):
        write_text(tmp_path / "file.txt", "text")
    assert names(tmp_path) == ["file.txt"]


@contextmanager
def no_file_longer_than(num_bytes):
    """Refuse longer files, as a full disk does; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_and_chain(file):
    try:
        file.write(bytes(100_000))
    except OSError as error:
        raise RuntimeError("enforce fail") from error


def write_and_hide(file):
    is_written = True
    try:
        file.write(bytes(100_000))
    except OSError:
        is_written = False
    if not is_written:
        raise RuntimeError("enforce fail")


@pytest.mark.parametrize("write", [write_and_chain, write_and_hide])
def test_what_the_system_refused_is_raised_whatever_the_writer_made_of_it(tmp_path, write):
    with no_file_longer_than(20_000), pytest.raises(OSError, match=r"file\.bin") as caught:
        write_atomically(tmp_path / "file.bin", write)
    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == []


def test_an_error_of_the_writer_with_the_systems_at_another_place_stays_as_it_is(tmp_path):
    def write(_):
        try:
            (tmp_path / "missing").read_bytes()
        except OSError as error:
            raise ValueError("no input") from error

    with pytest.raises(ValueError, match="no input"):
        write_atomically(tmp_path / "file.bin", write)


TORCH = """\
import resource, sys
from pathlib import Path
import torch
from seresnet.files import write_atomically

path, size, num_tensors = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content = {str(k): torch.zeros(size // 4 // num_tensors) for k in range(num_tensors)}
for limit in (0, 100, size // 3, size // 2, size - 5000, size, size + 300):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_atomically(path, lambda file: torch.save(content, file))
        print("written")
    except Exception as error:
        print(type(error).__name__, getattr(error, "errno", ""), bool(error.filename))
"""


@pytest.mark.parametrize("num_tensors", [1, 50], ids=["one-tensor", "many"])
@pytest.mark.parametrize("size", [300_000, 5_000_000], ids=["300-kB", "5-MB"])
def test_torch_that_finds_the_disk_full_raises_what_the_system_said(tmp_path, size, num_tensors):
    command = [sys.executable, "-c", TORCH, tmp_path / "file.pt", str(size), str(num_tensors)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [f"OSError {errno.EFBIG} True"] * 7
    assert names(tmp_path) == []


def test_a_folder_is_synced_once_the_file_has_its_name(tmp_path, monkeypatch):
    seen, fsync = [], os.fsync

    def spy(file):
        is_folder = stat.S_ISDIR(os.fstat(file).st_mode)
        seen.append((is_folder, (tmp_path / "file.txt").exists()))
        fsync(file)

    monkeypatch.setattr(os, "fsync", spy)
    write_text(tmp_path / "file.txt", "text")
    assert seen == [(False, False), (True, True)]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders_is_let_be(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "fsync", raiser(OSError(code, "no")))
    sync_folder(tmp_path)


def test_a_folder_that_could_not_be_synced_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", raiser(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        sync_folder(tmp_path)


def raiser(error):
    def fail(*_):
        raise error

    return fail


def test_text_is_utf8_with_its_line_ends_as_given(tmp_path):
    write_text(tmp_path / "file.txt", "ä→\n\r\n")
    assert (tmp_path / "file.txt").read_bytes() == b"\xc3\xa4\xe2\x86\x92\n\r\n"


def test_a_table_has_its_columns_in_order_and_empty_cells_for_what_is_missing(tmp_path):
    rows = [{"b": 0.1, "a": 1}, {"a": None, "b": "x,y"}, {"a": 3}]
    write_csv(tmp_path / "table.csv", ["a", "b"], rows)
    assert (tmp_path / "table.csv").read_bytes() == b'a,b\n1,0.1\n,"x,y"\n3,\n'


def test_a_table_without_rows_is_its_header(tmp_path):
    write_csv(tmp_path / "table.csv", ["a", "b"], [])
    assert (tmp_path / "table.csv").read_bytes() == b"a,b\n"


def test_a_row_with_an_unknown_column_leaves_the_old_table(tmp_path):
    write_csv(tmp_path / "table.csv", ["a"], [{"a": 1}])
    with pytest.raises(ValueError, match="'c'"):
        write_csv(tmp_path / "table.csv", ["a"], [{"a": 2}, {"a": 3, "c": 4}])
    assert (tmp_path / "table.csv").read_bytes() == b"a\n1\n"


@pytest.mark.parametrize(
    ("content", "checksum"),
    [
        # FIPS 180-2, appendices B.1 and B.3
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
    ids=["abc", "1-MB", "empty"],
)
def test_checksum_is_the_published_one(tmp_path, content, checksum):
    (tmp_path / "file.bin").write_bytes(content)
    assert sha256_of(tmp_path / "file.bin") == checksum
