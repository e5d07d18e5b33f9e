"""From a damaged file back to the newest sound backup, also when killed on the way."""

import os
import shutil
import subprocess
import sys

import pytest

from fakes import damage, make_database, names, num_rows
from search.study.backup import (
    back_up,
    check_study,
    newest_first,
    quick_check,
    recover,
    set_aside_newer,
)  # fmt: skip
from search.study.errors import DamagedStudyError


def test_recovering_takes_the_newest_backup_and_keeps_the_damaged_file(study, backups):
    back_up(study, backups, 40)
    make_database(study, 60)
    newest = back_up(study, backups, 45)
    os.utime(newest, (1_700_000_000, 1_700_000_000))
    damage(study)
    lost = study.read_bytes()
    journal = study.with_name("study.db-journal")
    journal.write_bytes(b"of the damaged file")
    told = recover(study, backups)
    quick_check(study)
    assert num_rows(study) == 60
    assert (study.parent / "study.db.damaged-1").read_bytes() == lost
    assert (study.parent / "study.db-journal.damaged-1").read_bytes() == b"of the damaged file"
    assert not journal.exists()
    assert names(backups) == ["study-000040.db", "study-000045.db"]
    assert "recovered from study-000045.db of 2023-11-14 22:13:20 UTC (45 events)" in told
    assert "kept as study.db.damaged-1" in told


def test_a_damaged_backup_is_passed_over_and_set_aside(study, backups, caplog):
    back_up(study, backups, 40)
    damage(back_up(study, backups, 45))
    assert "study-000040.db" in recover(study, backups)
    assert names(backups) == ["study-000040.db", "study-000045.db.damaged-1"]
    assert "study-000045.db: the study is damaged" in caplog.text


def test_every_recovery_keeps_its_own_damaged_file(study, backups):
    back_up(study, backups, 1)
    for number in (1, 2, 3):
        study.write_bytes(b"bad %d" % number)
        recover(study, backups)
        assert (study.parent / f"study.db.damaged-{number}").read_bytes() == b"bad %d" % number
    study.unlink()
    assert "damaged file" not in recover(study, backups)
    assert num_rows(study) == 50


def test_without_a_sound_backup_the_study_stays_as_it_is(study, backups):
    damage(study)
    before = study.read_bytes()
    with pytest.raises(DamagedStudyError, match="holds no sound backup") as caught:
        recover(study, backups)
    assert "--name" in caught.value.hint
    backups.mkdir()
    (backups / "study-000003.db").touch()  # an empty database is no backup
    with pytest.raises(DamagedStudyError, match="holds no sound backup"):
        recover(study, backups)
    assert study.read_bytes() == before


def killed_at(place, call):
    """Run a call on the study of another process that dies at a place, as by `kill -9`."""
    code = f"""\
import sys
from pathlib import Path
from search import failpoints
from search.study.backup import back_up, recover
failpoints.arm()
study = Path(sys.argv[1])
{call}
"""
    environment = {**os.environ, "SEARCH_FAILPOINT": place}
    return lambda study: (
        subprocess.run(
            [sys.executable, "-c", code, str(study)], env=environment, check=False
        ).returncode
    )


def test_a_kill_while_a_backup_is_taken_leaves_no_half_of_one(study, backups):
    back_up(study, backups, 1)
    kill = killed_at("before-backup", "back_up(study, study.parent / 'backups', 2)")
    assert kill(study) == 137
    assert [p.name for p in newest_first(backups)] == ["study-000001.db"]
    assert len(names(backups)) == 2
    back_up(study, backups, 2)
    assert names(backups) == ["study-000001.db", "study-000002.db"]


def test_a_kill_in_mid_recovery_is_mended_by_the_same_command(study, backups):
    back_up(study, backups, 1)
    damage(study)
    lost = study.read_bytes()
    assert killed_at("in-recovery", "recover(study, study.parent / 'backups')")(study) == 137
    with pytest.raises(DamagedStudyError, match="missing, but has backups"):
        check_study(study, backups)
    recover(study, backups)
    assert num_rows(study) == 50
    assert names(study.parent) == ["backups", "study.db", "study.db.damaged-1"]
    assert (study.parent / "study.db.damaged-1").read_bytes() == lost


def test_backups_of_an_earlier_study_do_not_stand_in_the_way_of_the_new_ones(study, backups):
    for number in (400, 500):
        back_up(study, backups, number)
    set_aside_newer(backups, 400)
    assert names(backups) == ["study-000400.db", "study-000500.db.other-1"]
    shutil.copy(backups / "study-000400.db", backups / "study-000500.db")
    set_aside_newer(backups, 0)
    assert newest_first(backups) == []
    assert len(names(backups)) == 3  # set aside, not deleted
