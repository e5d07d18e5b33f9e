import fcntl

import pytest

from seresnet.fence import Fence, StaleAttemptError


def test_a_newer_attempt_ends_the_right_of_the_older(tmp_path):
    old = Fence(tmp_path, 1)
    old.claim()
    Fence(tmp_path, 2).claim()
    with pytest.raises(StaleAttemptError, match="attempt 1 is over"), old.held():
        pytest.fail("the older attempt wrote")


def test_an_attempt_that_starts_late_cannot_begin(tmp_path):
    Fence(tmp_path, 3).claim()
    with pytest.raises(StaleAttemptError, match="attempt 2 is over"):
        Fence(tmp_path, 2).claim()
    with Fence(tmp_path, 3).held():
        pass


def test_attempts_that_were_ended_all_at_once_write_nothing_and_any_number_may_follow(tmp_path):
    old = Fence(tmp_path, 7)
    old.claim()
    Fence.end_all(tmp_path)
    with pytest.raises(StaleAttemptError), old.held():
        pytest.fail("the older attempt wrote")
    new = Fence(tmp_path, 2)
    new.claim()
    with new.held():
        pass


def test_each_taking_is_the_next_attempt(tmp_path):
    assert [Fence.take(tmp_path / "new").attempt for _ in range(12)] == list(range(1, 13))


def test_an_attempt_cut_off_in_its_writing_counts_for_nothing(tmp_path):
    Fence(tmp_path, 5).claim()
    (tmp_path / ".attempt").write_bytes(b"")
    with pytest.raises(StaleAttemptError), Fence(tmp_path, 5).held():
        pass
    Fence(tmp_path, 1).claim()


def test_no_attempt_begins_while_another_gives_files_their_names(tmp_path):
    fence, lock = Fence.take(tmp_path), fcntl.LOCK_EX | fcntl.LOCK_NB
    with (tmp_path / ".attempt").open("r+") as file, fence.held(), pytest.raises(BlockingIOError):
        fcntl.flock(file, lock)
    assert Fence.take(tmp_path).attempt == 2


def test_a_link_in_place_of_the_number_is_not_followed(tmp_path):
    target = tmp_path / "elsewhere"
    target.write_text("precious")
    (tmp_path / ".attempt").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        Fence.take(tmp_path)
    assert target.read_text() == "precious"
