import shutil
from collections import namedtuple

import pytest

from search.study.disk import bytes_in, checkpoint_bytes, free_bytes, require_space
from search.study.errors import MachineError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Sets the free bytes of every disk; keeps the places that were asked for."""
    asked = []

    def set_free(num_bytes):
        def usage(path):
            asked.append(path)
            return Usage(0, 0, num_bytes)

        monkeypatch.setattr(shutil, "disk_usage", usage)
        return asked

    return set_free


def test_a_search_needs_three_checkpoints_a_slot_and_64_mb():
    # The real network: 2,818,122 parameters, each with its average and momentum, four bytes each.
    assert checkpoint_bytes(2_818_122, 1) == 2_818_122 * 36 + 64_000_000
    assert checkpoint_bytes(2_818_122, 4) == 2_818_122 * 36 * 4 + 64_000_000


def test_too_little_room_is_refused_with_what_there_is_and_what_it_needs(tmp_path, free):
    free(12_999_999)
    with pytest.raises(MachineError) as caught:
        require_space(tmp_path / "x", 179_000_001)
    message = f"not enough space in {tmp_path / 'x'}: 12 MB free, 180 MB needed"
    assert caught.value.message == message
    assert caught.value.exit_code == 3
    assert "--results" in caught.value.hint


def test_room_to_the_byte_is_enough(tmp_path, free):
    free(1000)
    require_space(tmp_path, 1000)
    with pytest.raises(MachineError, match="0 MB free, 1 MB needed"):
        require_space(tmp_path, 1001)


def test_the_disk_of_a_folder_yet_to_be_made_is_that_of_its_nearest_parent(tmp_path, free):
    asked = free(1)
    require_space(tmp_path / "results" / "deep" / "reg", 0)
    assert asked == [tmp_path]


def test_the_room_of_a_folder_yet_to_be_made_can_be_asked_for(tmp_path, free):
    asked = free(123)
    assert free_bytes(tmp_path / "a" / "b") == 123
    assert asked == [tmp_path]


def test_a_real_disk_has_a_byte_but_not_all_of_them(tmp_path):
    require_space(tmp_path, 1)
    with pytest.raises(MachineError, match="not enough space"):
        require_space(tmp_path, 10**21)


def test_checkpoints_that_are_there_need_no_room_again():
    assert checkpoint_bytes(1000, 2, present=1000) == 1000 * 36 * 2 - 1000 + 64_000_000
    assert checkpoint_bytes(1000, 2, present=10**9) == 64_000_000  # the tables do all the same


def test_the_bytes_in_a_folder_are_those_of_its_files_at_any_depth(tmp_path):
    assert bytes_in(tmp_path / "missing") == 0
    (tmp_path / "checkpoints" / "t0000").mkdir(parents=True)
    (tmp_path / "checkpoints" / "t0000" / "epoch-0001.pt").write_bytes(1000 * b"x")
    (tmp_path / "checkpoints" / ".hidden").write_bytes(b"xyz")
    (tmp_path / "elsewhere").write_bytes(10_000 * b"x")
    (tmp_path / "checkpoints" / "link").symlink_to(tmp_path / "elsewhere")
    assert bytes_in(tmp_path / "checkpoints") == 1003
