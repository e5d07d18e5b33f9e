import os
import random
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from fakes import damage, make_database, names, num_rows
from search.study import backup as module
from search.study.backup import (
    Backups,
    back_up,
    check_study,
    newest_first,
    quick_check,
)  # fmt: skip
from search.study.errors import DamagedStudyError, MachineError


def test_a_sound_file_passes_and_is_as_it_was(study):
    before = study.read_bytes()
    quick_check(study)
    assert study.read_bytes() == before
    assert names(study.parent) == ["study.db"]


def test_a_missing_or_empty_file_is_a_study_to_be_made(tmp_path):
    path = tmp_path / "study.db"
    check_study(path, tmp_path / "backups")
    assert not path.exists()
    path.touch()
    check_study(path, tmp_path / "backups")
    assert path.read_bytes() == b""


def test_a_damaged_file_is_named_with_its_first_complaint_and_the_remedy(study):
    damage(study)
    with pytest.raises(DamagedStudyError, match=r"study\.db: the study is damaged: .*\S") as caught:
        quick_check(study)
    assert caught.value.exit_code == 4
    assert "--recover" in caught.value.hint


@pytest.mark.parametrize("size", [1, 99, 100, 4095, 4096, 4097, 10_000, -4096, -1])
def test_a_cut_file_is_damaged_wherever_it_is_cut(study, size):
    content = study.read_bytes()
    study.write_bytes(content[:size])
    with pytest.raises(DamagedStudyError, match=r"study\.db: "):
        quick_check(study)


def test_flipped_bits_give_no_other_error_than_ours(study, tmp_path):
    """Those within values cannot be seen here: the study's events have hashes for them."""
    content, drawn, seen = study.read_bytes(), random.Random(5), 0
    for _ in range(60):
        flipped = bytearray(content)
        for _ in range(20):
            flipped[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        flipped[:16] = content[:16]
        study.write_bytes(flipped)
        try:
            quick_check(study)
        except (DamagedStudyError, MachineError):
            seen += 1
    assert seen > 10


def test_a_file_of_another_kind_is_damaged(study):
    study.write_bytes(b"not a database" * 100)
    with pytest.raises(DamagedStudyError, match="file is not a database"):
        quick_check(study)


def test_a_folder_in_the_files_place_is_the_machines_fault(tmp_path):
    (tmp_path / "study.db").mkdir()
    with pytest.raises(MachineError, match=r"study\.db: unable to open"):
        check_study(tmp_path / "study.db", tmp_path / "backups")


def test_what_a_killed_process_left_half_done_is_rolled_back(study):
    code = """\
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size=1")
database.execute("BEGIN")
database.execute("UPDATE rows SET content = 'x'")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(study)], check=False)
    journal = study.with_name("study.db-journal")
    assert journal.stat().st_size
    quick_check(study)
    assert not journal.exists()
    with closing(sqlite3.connect(study)) as database:
        query = "SELECT count(*) FROM rows WHERE content = 'x'"
        assert database.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("trace", ["trials.csv", "backups/study-000009.db"])
def test_an_empty_file_is_damage_where_there_was_a_study(study, backups, trace):
    backups.mkdir()
    study.write_bytes(b"")
    check_study(study, backups)
    (study.parent / trace).write_text("something")
    with pytest.raises(DamagedStudyError, match="the file is empty") as caught:
        check_study(study, backups)
    assert "--recover" in caught.value.hint


def test_a_missing_study_with_backups_is_not_begun_anew_in_silence(study, backups):
    back_up(study, backups, 9)
    study.unlink()
    with pytest.raises(DamagedStudyError, match="missing, but has backups") as caught:
        check_study(study, backups)
    assert "--recover" in caught.value.hint
    assert "delete" in caught.value.hint
    (backups / "study-000009.db").unlink()
    check_study(study, backups)


def test_a_backup_is_the_study_of_its_moment_under_the_number_of_its_events(study, backups):
    path = back_up(study, backups, 123)
    make_database(study, 60)
    assert path == backups / "study-000123.db"
    assert (num_rows(path), num_rows(study)) == (50, 60)
    assert names(backups) == ["study-000123.db"]


def test_a_study_in_use_is_copied_without_what_is_not_committed(study, backups):
    with closing(sqlite3.connect(study)) as writer:
        writer.execute("INSERT INTO rows VALUES (50, '')")
        assert num_rows(back_up(study, backups, 1)) == 50
        writer.commit()
        assert num_rows(back_up(study, backups, 2)) == 51


def test_the_two_newest_by_events_are_kept_whatever_the_clock_says(study, backups):
    for number in (7, 999_999, 1_000_000):
        written = back_up(study, backups, number)
        os.utime(written, (2_000_000_000 - number,) * 2)
    assert [p.name for p in newest_first(backups)] == ["study-1000000.db", "study-999999.db"]


def test_a_damaged_study_replaces_no_backup(study, backups):
    back_up(study, backups, 1)
    damage(study)
    for number in (1, 2):
        with pytest.raises(DamagedStudyError):
            back_up(study, backups, number)
        assert names(backups) == ["study-000001.db"]
        assert num_rows(backups / "study-000001.db") == 50


def test_a_full_disk_leaves_the_old_backup_and_nothing_half_written(study, backups, monkeypatch):
    back_up(study, backups, 1)
    connect = sqlite3.connect

    def small(path, *arguments, **keywords):
        database = connect(path, *arguments, **keywords)
        database.execute("PRAGMA max_page_count = 2")  # SQLite's own way to have a full disk
        return database

    monkeypatch.setattr(module.sqlite3, "connect", small)
    with pytest.raises(MachineError, match="full"):
        back_up(study, backups, 2)
    assert names(backups) == ["study-000001.db"]


def test_backups_in_between_wait_for_their_time(study, backups):
    now = 100.0
    taking = Backups(study, backups, every=30, clock=lambda: now)
    taking.take(1)
    for now, number in ((110.0, 2), (129.9, 3), (130.0, 4), (150.0, 5), (160.0, 6)):  # noqa: B007
        taking.note(number)
    taking.take(7)
    assert names(backups) == ["study-000006.db", "study-000007.db"]


def test_a_study_that_has_not_changed_is_not_copied_again(study, backups):
    taking = Backups(study, backups)
    taking.take(0)  # there is nothing in it
    assert not backups.exists()
    taking.take(5)
    written = (backups / "study-000005.db").stat().st_mtime_ns
    taking.take(5)
    assert (backups / "study-000005.db").stat().st_mtime_ns == written


def test_a_backup_that_cannot_be_taken_is_warned_of_and_ends_nothing(study, backups, caplog):
    backups.write_text("a file in the way")
    Backups(study, backups).take(1)
    damage(study)
    backups.unlink()
    Backups(study, backups).take(1)
    warnings = re.findall("no backup of the study was taken: (.*)", caplog.text)
    assert "File exists" in warnings[0]
    assert "damaged" in warnings[1] or "malformed" in warnings[1]


def test_a_server_has_backups_of_its_own(backups):
    taking = Backups(None, backups)
    taking.take(5)
    taking.note(50)
    assert not backups.exists()
