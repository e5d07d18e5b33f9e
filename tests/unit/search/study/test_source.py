import re
import time
from dataclasses import dataclass

import pytest

from search.study.config import load, loads
from seresnet.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    count: int


def complaint(text):
    with pytest.raises(ConfigError) as caught:
        loads(text, Settings, name="f.yaml")
    return caught.value


BAD_YAML = {
    "alias": ("a: *x", "f.yaml:1: must not use an alias, got *x"),
    "anchor": ("count: &x 1", "f.yaml:1: must not use an anchor, got &x"),
    "recursive": ("a: 1\nb: &x [*x]", "f.yaml:2: must not use an alias, got *x"),
    "object": (
        "a: !!python/object/apply:os.system [ls]",
        "f.yaml:1: must not use a tag, got !!python/object/apply:os.system",
    ),
    "name": ("a: !!python/name:os.system", "must not use a tag, got !!python/name"),
    "tuple": ("a: !!python/tuple [1]", "must not use a tag, got !!python/tuple"),
    "standard-tag": ("a: !!str 1", "must not use a tag, got !!str"),
    "documents": ("a: 1\n---\nb: 2", "f.yaml:2: column 1: must be valid YAML (expected a single"),
    "tab": ("a:\n\t- 1", "f.yaml:2: column 1: must be valid YAML"),
    "unclosed": ("a: [1\nb: 2", "f.yaml:2: column 2: must be valid YAML"),
    "nul": ("a: 1\nb: x\x00", "f.yaml:2: column 5: must be valid YAML (character '\\x00'"),
    "no-character": ('a: "\\UFFFFFFFF"', "f.yaml:1: column 7: must be valid YAML (an escape"),
    "deep-flow": ("[" * 60_000, "column 21: must be valid YAML (over 20 levels deep)"),
    "deep-block": ("- " * 30_000, "column 41: must be valid YAML (over 20 levels deep)"),
}


@pytest.mark.parametrize(("text", "message"), BAD_YAML.values(), ids=BAD_YAML)
def test_dangerous_or_broken_yaml_is_refused(text, message):
    assert message in complaint(text).message


def test_an_alias_bomb_is_refused_before_it_expands():
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    error = complaint("\n".join(["a0: &a0 [x, x]", *levels]))
    assert "f.yaml:1: must not use an anchor, got &a0" in error.message
    assert error.message.count("must not use an alias") == 81


def test_the_largest_list_is_refused_in_reasonable_time():
    start = time.perf_counter()
    complaint("count: [" + "1," * 32_000 + "]")
    assert time.perf_counter() - start < 30  # a bound against quadratic time, not a benchmark


NO_UTF8 = "must be UTF-8, got byte"
BAD_FILES = {
    "big": (b"count: 1\n#" + b"x" * 65_536, "f.yaml: must be at most 64 KB", "path"),
    "latin-1": (b"count: 1\nmore: \xe9", f"f.yaml:2: column 7: {NO_UTF8} 0xe9", "UTF-8"),
    "utf-16": ("count: 1".encode("utf-16"), f"f.yaml:1: column 1: {NO_UTF8} 0xff", "UTF-8"),
}


@pytest.mark.parametrize(("data", "message", "hint"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_text_of_ours_is_refused(tmp_path, data, message, hint):
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load(path, Settings)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match=r"cannot be read: (no such file|is a directory)"):
        load(tmp_path / name, Settings)


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfcount: 1")
    assert load(path, Settings).count == 1
