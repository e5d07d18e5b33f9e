import codecs
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seresnet import pickles
from seresnet.errors import DataError
from seresnet.pickles import load_pickle

BATCH = {
    b"data": np.arange(12, dtype=np.uint8).reshape(3, 4),
    b"labels": [0, 1, 2],
    b"filenames": [b"a.png", b"b.png", b"c.png"],
}

# What Python 2 wrote: byte strings everywhere, a dtype made of bytes, `numpy.core`.
PYTHON_2 = (
    b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    b"J\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftbs."
)


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


@pytest.fixture
def write(tmp_path):
    def write(content, *, protocol=2):
        path = tmp_path / "data_batch_1"
        raw = isinstance(content, bytes)
        path.write_bytes(content if raw else pickle.dumps(content, protocol=protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol_are_read(write, protocol):
    loaded = load_pickle(write(BATCH, protocol=protocol))
    assert list(loaded) == ["data", "labels", "filenames"]
    np.testing.assert_array_equal(loaded["data"], BATCH[b"data"])
    assert loaded["labels"] == [0, 1, 2]


def test_python_2_pickle_is_read(write):
    loaded = load_pickle(write(PYTHON_2))
    np.testing.assert_array_equal(loaded["data"], np.frombuffer(b"abcdef", np.uint8).reshape(2, 3))


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
        np.arange(6, dtype=">i4"),
        np.arange(12)[::2],
        np.ones((2, 2), dtype=np.float32),
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1),
    ],
    ids=["fortran", "big-endian", "strided", "float", "transposed"],
)
def test_array_comes_back_equal(write, array, protocol):
    loaded = load_pickle(write({"data": array}, protocol=protocol))["data"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.shape == array.shape
    assert loaded.dtype == array.dtype


@pytest.mark.parametrize("nested", [False, True], ids=["value", "in-object-array"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickle_that_calls_the_system_executes_nothing(write, tmp_path, protocol, nested):
    marker = tmp_path / "executed"
    attack = Calls(os.system, f"touch {marker}")
    if nested:
        attack = np.array([attack, None], dtype=object)
    with pytest.raises(DataError, match=r"refused to load global (posix|nt)\.system"):
        load_pickle(write({b"data": attack}, protocol=protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.array([1, None], dtype=object), "refused an array of dtype 'O8'"),
        (np.array(["a"]), "refused an array of dtype 'U1'"),
        (np.zeros(2, dtype=[("a", "u1")]), "refused an array of dtype 'V1'"),
        (Calls(np.ndarray, (2**20, 4096)), "refused an array without contents"),
        (Calls(np.dtype, ("u1", (2**20,))), "refused a dtype made of tuple"),
        (Calls(codecs.encode, "00" * 10, "hex_codec"), "refused the codec hex_codec"),
        (Calls(np.frombuffer, b"1"), r"refused to load global numpy\S*\.frombuffer"),
        (Calls(eval, "1"), r"refused to load global \w+\.eval"),
        (np.float64(1.0), r"refused to load global numpy\._?core\.multiarray\.scalar"),
    ],
    ids=["object", "text", "record", "lazy-huge", "dtype", "codec", "frombuffer", "eval", "scalar"],
)
def test_what_plain_data_does_not_need_is_refused(write, value, reason):
    with pytest.raises(DataError, match=f"cannot read this pickle: {reason}") as caught:
        load_pickle(write({b"data": value}))
    assert "original source" in caught.value.hint


@pytest.mark.parametrize(
    "state",
    [
        b"K\x02K\x02\x86cnumpy\ndtype\nU\x02u1\x85R\x89U\x03abc",  # 2 x 2 from three bytes
        b"J\xff\xff\xff\xff\x85cnumpy\ndtype\nU\x02u1\x85R\x89U\x03abc",  # a side of -1
        b"K\x03\x85cnumpy\ndtype\nU\x02u1\x85R\x89]",  # a list for bytes
        b"K\x03\x85U\x02u1\x89U\x03abc",  # bytes for a dtype
    ],
    ids=["too-few-bytes", "negative-side", "no-bytes", "no-dtype"],
)
def test_array_whose_state_does_not_fit_is_refused(write, state):
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + state + b"tb"
    with pytest.raises(DataError, match="cannot read this pickle"):
        load_pickle(write(b"\x80\x02}U\x04data" + array + b"s."))


def test_array_that_never_gets_contents_is_refused(write):
    with pytest.raises(DataError, match="an array without contents"):
        load_pickle(write(b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n)Rs."))


def test_attributes_set_by_one_file_are_gone_for_the_next(write):
    hijack = b"\x80\x02}U\x04data(cnumpy\ndtype\nNU\x05_callc_codecs\nencode\n"
    with pytest.raises(DataError):
        load_pickle(write(hijack + b"s\x86bs."))
    assert load_pickle(write(BATCH))["labels"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "pickle exhausted"),
        (b"<!DOCTYPE html>\n<html>not found</html>", "at position 0"),
        (b"PK\x03\x04\x14\x00\x00\x00", ": ."),
        (b"version https://git-lfs.github.com/spec/v1\n", ": ."),
        (b"\x80\x05\x8e" + struct.pack("<Q", 2**60) + b"x.", "expected"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"x.", "expected"),
        (b"\x80\x02Nr" + struct.pack("<I", 2**28) + b".", "refused memo index 268435456"),
        (b"\x80\x02(K\x01l.", "a dictionary is expected, got list"),
        (b"\x80\x02}K\x01K\x02s.", "keys must be text, got int"),
        (b"\x80\x02}U\x01\xffK\x02s.", "utf-8"),
        (b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".", "a dictionary is expected"),
    ],
    ids=[
        "empty", "html", "zip", "git-lfs", "huge-bytes", "huge-bytearray", "huge-memo", "list",
        "int-key", "no-text", "deep",
    ],
)  # fmt: skip
def test_other_content_is_one_error_line(write, content, reason):
    path = write(content)
    with pytest.raises(DataError, match=reason) as caught:
        load_pickle(path)
    assert caught.value.message.startswith(f"{path}: cannot read this pickle: ")
    assert "\n" not in caught.value.message
    assert caught.value.hint


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("protocol", [2, 5])
def test_truncation_anywhere_is_a_data_error(write, protocol, data):
    content = pickle.dumps(BATCH, protocol=protocol)
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DataError):
        load_pickle(write(content[:end]))


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("protocol", [2, 5])
def test_damaged_bytes_give_a_dictionary_or_a_data_error(write, protocol, data):
    content = bytearray(pickle.dumps(BATCH, protocol=protocol))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    try:
        loaded = load_pickle(write(bytes(content)))
    except DataError:
        return
    assert isinstance(loaded, dict)


def test_unknown_escape_sequence_warns_nobody(write):
    assert load_pickle(write(b"\x80\x02}S'a\\c'\nK\x01s.")) == {"a\\c": 1}


def test_large_file_is_refused_before_it_is_parsed(write, monkeypatch):
    monkeypatch.setattr(pickles, "MAX_BYTES", 2**20)
    with pytest.raises(DataError, match="larger than 1 MB"):
        load_pickle(write(b"x" * (2**20 + 1)))


def test_a_file_of_instructions_alone_is_refused_before_it_fills_the_memory(write, monkeypatch):
    monkeypatch.setattr(pickles, "MAX_OPCODES", 1000)
    with pytest.raises(DataError, match="refused more than 1000 instructions"):
        load_pickle(write(b"\x80\x02" + b"]" * 1000 + b"."))
    assert load_pickle(write(BATCH))["labels"] == [0, 1, 2]


def test_the_globals_that_are_allowed_are_those_that_arrays_need():
    assert set(pickles._GLOBALS) == {
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"),
        ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    }  # fmt: skip


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent: cannot read this pickle: no such file"):
        load_pickle(tmp_path / "absent")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, kind):
    path = tmp_path / "data_batch_1"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(DataError, match="not a regular file"):
        load_pickle(path)


def test_file_without_permission_is_an_error_line(write, monkeypatch):
    path = write(BATCH)

    def deny(*_arguments, **_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(DataError, match="permission denied") as caught:
        load_pickle(path)
    assert "may read" in caught.value.hint


def test_memory_error_is_an_error_line(write, monkeypatch):
    def exhaust(_content):
        raise MemoryError

    monkeypatch.setattr(pickles, "_check_opcodes", exhaust)
    with pytest.raises(DataError, match="cannot read this pickle: MemoryError"):
        load_pickle(write(BATCH))
