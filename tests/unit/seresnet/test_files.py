import pytest

from seresnet.files import sha256_of, write_atomically, write_csv, write_text


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
