"""The way back from a damaged study, through `opened`: backups, recovery, checkpoints."""

import sqlite3
from contextlib import closing

import pytest

from fakes import HOST, IMAGES, damage, names, result, run_trials
from search.study.backup import Backups
from search.study.errors import DamagedStudyError, ForeignVersionError
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.storage import sqlite_storage
from seresnet.fence import Fence, StaleAttemptError


def outcome(ledger):
    return [(t.params, t.state, t.value, sorted(t.epochs)) for t in ledger.trials]


def test_an_opened_study_is_backed_up_at_its_start_and_end(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        assert not study_dir.backups.exists()  # of nothing
        run_trials(ledger, 1)
        first = f"study-{ledger.num_events:06d}.db"
    assert names(study_dir.backups) == [first]
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 2)
        second = f"study-{ledger.num_events:06d}.db"
    assert names(study_dir.backups) == [first, second]
    storage = sqlite_storage(study_dir.backups / second)
    assert Ledger.load(storage).trials == ledger.trials


def test_backups_are_taken_in_between_where_the_caller_says_so(study_dir, study_config):
    now = 0.0
    backups = Backups(study_dir.database, study_dir.backups, clock=lambda: now)
    with opened(study_dir, study_config, IMAGES, backups=backups) as ledger:
        run_trials(ledger, 1)
        backups.note(ledger.num_events)
        taken = names(study_dir.backups)
        now = 29.0
        run_trials(ledger, 1)
        backups.note(ledger.num_events)
        assert names(study_dir.backups) == taken
        now = 30.0
        backups.note(ledger.num_events)
        assert names(study_dir.backups) == [*taken, f"study-{ledger.num_events:06d}.db"]


def test_a_damaged_study_is_refused_and_recovered_and_ends_as_if_nothing_had_been(
    study_dir, study_config, tmp_path, caplog
):
    undisturbed = StudyFolder(tmp_path / "undisturbed")
    with opened(undisturbed, study_config, IMAGES) as ledger:
        run_trials(ledger, 6)
        expected = outcome(ledger)
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 3)
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 1)
        damage(study_dir.database, num_pages=2)
    damaged = study_dir.database.read_bytes()
    with (
        pytest.raises(DamagedStudyError, match=r"study\.db: ") as caught,
        opened(study_dir, study_config, IMAGES),
    ):
        pass
    assert "--recover" in caught.value.hint
    assert study_dir.database.read_bytes() == damaged
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert len(ledger.trials) == 3
        run_trials(ledger, 3)
        assert outcome(ledger) == expected
    assert "recovered from study-" in caplog.text
    assert (study_dir.path / "study.db.damaged-1").read_bytes() == damaged


def test_after_a_recovery_checkpoints_ahead_of_the_study_stay_for_their_trials(
    study_dir, study_config
):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 1)
        suggestion = ledger.suggest()
        for number in (1, 2):
            each = result(number, 0.1)
            ledger.report(suggestion.number, each, HOST, attempt=suggestion.attempt)
    study_dir.database.write_bytes(b"no database")
    for trial_folder in ("t0001", "t0002"):
        path = study_dir.checkpoints / trial_folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "epoch-0004.pt").touch()
        Fence(path, 7).claim()
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert names(study_dir.checkpoints) == ["t0001"]  # the other trial is not in the study
        assert names(study_dir.checkpoints / "t0001") == [".attempt", "epoch-0004.pt"]
        suggestion = ledger.suggest()
        assert (suggestion.attempt, suggestion.epochs_stored) == (2, 2)
        Fence(study_dir.checkpoints / "t0001", suggestion.attempt).claim()


def test_a_start_ends_the_attempts_of_the_last_one_and_leaves_other_files_alone(
    study_dir, study_config
):
    with opened(study_dir, study_config, IMAGES) as ledger:
        ledger.suggest()
    for name in ("t0000/epoch-0001.pt", "tmp/mine", "t1/x", "t0009/epoch-0001.pt"):
        (study_dir.checkpoints / name).parent.mkdir(parents=True, exist_ok=True)
        (study_dir.checkpoints / name).touch()
    orphan = Fence(study_dir.checkpoints / "t0000", 1)
    orphan.claim()
    with opened(study_dir, study_config, IMAGES):
        assert names(study_dir.checkpoints) == ["t0000", "tmp"]
        assert names(study_dir.checkpoints / "t0000") == [".attempt", "epoch-0001.pt"]
        with pytest.raises(StaleAttemptError), orphan.held():
            pytest.fail("the orphan wrote")


def test_recovering_a_sound_study_does_nothing_and_says_so(study_dir, study_config, caplog):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 2)
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert len(ledger.trials) == 2
    assert "study.db: the study is sound, nothing was recovered" in caplog.text


@pytest.mark.parametrize("recovering", [False, True])
def test_a_value_that_is_not_what_was_stored_is_found_at_the_next_start(
    study_dir, study_config, recovering, caplog
):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 2)
        expected = outcome(ledger)
    with closing(sqlite3.connect(study_dir.database)) as database, database:
        changed = "UPDATE trial_intermediate_values SET intermediate_value = 0.99 WHERE step = 1"
        assert database.execute(changed).rowcount > 0
    start = opened(study_dir, study_config, IMAGES, recovering=recovering)
    if recovering:
        with start as ledger:
            assert outcome(ledger) == expected
        assert "recovered from study-" in caplog.text
    else:
        place = r"study\.db: event 2: t0000 epoch 1: val_accuracy 0\.\d+ was reported, .* 0\.99"
        with pytest.raises(DamagedStudyError, match=place) as caught, start:
            pass
        assert "--recover" in caught.value.hint


def execute(path, statement):
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement).rowcount > 0


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE trial_user_attributes SET value_json = '{'", "the study cannot be read: JSON"),
        ("UPDATE trials SET state = 'COMPLETED'", "the study cannot be read: LookupError"),
        ("UPDATE trial_params SET distribution_json = '[]'", "the study cannot be read: TypeError"),
        ("UPDATE trial_intermediate_values SET intermediate_value = 0.99", "event 2: "),
    ],
)
def test_a_backup_whose_words_were_changed_is_passed_over_for_the_older_one(
    study_dir, study_config, caplog, statement, complaint
):
    for _ in range(2):
        with opened(study_dir, study_config, IMAGES) as ledger:
            run_trials(ledger, 1)
    older, newer = sorted(study_dir.backups.iterdir())
    execute(newer, statement)
    study_dir.database.write_bytes(b"no database")
    with opened(study_dir, study_config, IMAGES, recovering=True) as ledger:
        assert len(ledger.trials) == 1
    assert f"passed over: {newer}: {complaint}" in caplog.text
    assert f"recovered from {older.name}" in caplog.text
    assert f"{newer.name}.damaged-1" in names(study_dir.backups)


FOREIGN = "UPDATE alembic_version SET version_num = 'v9.9.9'"


def test_a_sound_study_of_another_version_is_not_stepped_back(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 1)
    execute(study_dir.database, FOREIGN)
    before, kept = study_dir.database.read_bytes(), names(study_dir.path)
    for recovering in (False, True):
        start = opened(study_dir, study_config, IMAGES, recovering=recovering)
        with pytest.raises(ForeignVersionError, match=r"study\.db: .*schema") as caught, start:
            pass
        assert "use the version" in caught.value.hint
    assert (study_dir.database.read_bytes(), names(study_dir.path)) == (before, kept)


def test_a_backup_of_another_version_is_not_called_damaged(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        run_trials(ledger, 1)
    (backup,) = study_dir.backups.iterdir()
    execute(backup, FOREIGN)
    study_dir.database.write_bytes(b"no database")
    start = opened(study_dir, study_config, IMAGES, recovering=True)
    with pytest.raises(ForeignVersionError, match=f"{backup.name}: .*schema"), start:
        pass
    assert names(study_dir.backups) == [backup.name]
    assert study_dir.database.read_bytes() == b"no database"
