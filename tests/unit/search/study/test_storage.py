import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, OperationalError

from search.study.errors import DamagedStudyError, ForeignVersionError, MachineError
from search.study.storage import (
    RECOVER,
    VARIABLE,
    Location,
    close_storage,
    hidden_from_children,
    locate,
    open_storage,
    translated,
)  # fmt: skip
from seresnet.errors import ConfigError

SECRET = "s3cret/p@ss:w%rd"
WRITTEN = "s3cret%2Fp%40ss%3Aw%25rd"
SERVER = f"postgresql://ann:{WRITTEN}@db.example:5433/team"
PUBLIC = "postgresql://ann:***@db.example:5433/team"
DEFAULT = Path("results/reg/study.db")


@pytest.fixture
def server():
    pytest.importorskip("psycopg")
    return locate(None, DEFAULT, {VARIABLE: SERVER})


def test_without_flag_and_variable_a_study_lies_in_its_folder():
    location = locate(None, DEFAULT, {VARIABLE: ""})
    assert (location.path, location.is_sqlite, location.masked) == (DEFAULT, True, str(DEFAULT))


@pytest.mark.parametrize(
    ("text", "path"),
    [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a/b.db", "/a/b.db"), ("a/b.db", "a/b.db")],
)
def test_an_sqlite_file_is_named_by_url_or_path(text, path):
    assert locate(text, DEFAULT, {}).path == Path(path)
    assert locate(None, DEFAULT, {VARIABLE: text}).path == Path(path)


def test_the_flag_goes_before_the_variable():
    assert locate("other.db", DEFAULT, {VARIABLE: SERVER}).path == Path("other.db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_one_driver(scheme):
    pytest.importorskip("psycopg")
    location = locate(f"{scheme}://ann@db.example/team", DEFAULT, {})
    assert location.url.drivername == "postgresql+psycopg"
    assert (location.path, location.is_sqlite) == (None, False)
    assert location.masked == "postgresql://ann@db.example/team"


@pytest.mark.parametrize("key", ["password", "sslpassword"])
def test_no_text_of_a_location_shows_its_password(key):
    pytest.importorskip("psycopg")
    location = locate(None, DEFAULT, {VARIABLE: f"{SERVER}?{key}=hidden&sslmode=require"})
    for shown in (repr(location), str(location), location.masked, location.recorded):
        assert "hidden" not in shown
        assert "s3cret" not in shown
    assert location.masked == f"{PUBLIC}?sslmode=require"


def test_a_password_of_pgpassword_is_used_and_hidden_too():
    pytest.importorskip("psycopg")
    environ = {VARIABLE: "postgresql://ann@h/team", "PGPASSWORD": "other-secret"}
    location = locate(None, DEFAULT, environ)
    assert location.secrets == ["other-secret"]
    assert "other-secret" not in location.masked


def test_a_text_is_scrubbed_of_the_password_however_it_is_written(server):
    assert server.scrubbed(f"1 {SECRET} 2 {WRITTEN} 3 {SERVER}") == f"1 *** 2 *** 3 {PUBLIC}"


@pytest.mark.parametrize(
    "flag", [SERVER, "postgresql://h/d?password=s3cret", "postgres://u@h/d?sslpassword=s3cret"]
)
def test_a_password_in_the_flag_is_refused_and_not_repeated(flag):
    with pytest.raises(ConfigError, match="--storage: must not hold a password") as caught:
        locate(flag, DEFAULT, {})
    assert "s3cret" not in caught.value.as_text()
    assert VARIABLE in caught.value.hint
    assert "~/.pgpass" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("postgresql://ann:s3cret@x@h/team", id="at-in-password"),
        pytest.param("postgresql://ann:x@s3/cret@h/team", id="at-and-slash-in-password"),
        pytest.param("postgresql://ann:x:1@h:s3cret/team", id="port-is-no-number"),
        pytest.param("postgresql://ann:s3cret@h", id="no-database"),
        pytest.param("mysql://ann:s3cret@h/team", id="mysql"),
        pytest.param("postgresql+psycopg2://ann:s3cret@h/team", id="another-driver"),
        pytest.param("s3cret", id="no-url"),
        pytest.param("sqlite://", id="no-file"),
        pytest.param("sqlite:///:memory:", id="in-memory"),
        pytest.param("sqlite:///a.db?mode=s3cret", id="sqlite-with-options"),
        pytest.param("sqlite://ann:s3cret@h/a.db", id="sqlite-with-host"),
    ],
)
def test_what_is_no_location_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError) as caught:
        locate(None, DEFAULT, {VARIABLE: text})
    shown = caught.value.as_text()
    assert shown.startswith(f"error: {VARIABLE}: must ")
    assert caught.value.hint
    assert "s3" not in shown
    assert "cret" not in shown.replace("secret", "")
    assert caught.value.__cause__ is None


def test_a_missing_driver_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="driver") as caught:
        locate("postgresql://ann@h/team", DEFAULT, {})
    assert caught.value.hint == 'pip install ".[postgres]"'


def test_a_variable_for_all_studies_is_not_laid_over_one_with_its_own_file(tmp_path, monkeypatch):
    own = tmp_path / "study.db"
    own.write_bytes(b"something")
    with pytest.raises(ConfigError, match=f"{VARIABLE}: must not be set") as caught:
        locate(None, own, {VARIABLE: "sqlite:///other.db"})
    assert str(own) in caught.value.message
    assert locate(None, own, {VARIABLE: f"sqlite:///{own}"}).path == own
    monkeypatch.chdir(tmp_path)
    assert locate(None, own, {VARIABLE: "study.db"}).path == Path("study.db")
    assert locate("other.db", own, {}).path == Path("other.db")


def test_what_the_folder_records_has_neither_password_nor_path(server):
    assert server.recorded == PUBLIC
    assert Location.of_file(Path("/home/ann/fast/reg.db")).recorded == "sqlite:///reg.db"


def test_processes_started_meanwhile_know_neither_url_nor_password(monkeypatch):
    monkeypatch.setenv(VARIABLE, SERVER)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    code = f"import os; print([k for k in os.environ if k in ({VARIABLE!r}, 'PGPASSWORD')])"
    command = [sys.executable, "-c", code]
    with hidden_from_children():
        assert subprocess.check_output(command, text=True) == "[]\n"
    with pytest.raises(RuntimeError, match="boom"), hidden_from_children():
        raise RuntimeError("boom")
    assert os.environ[VARIABLE] == SERVER
    assert os.environ["PGPASSWORD"] == SECRET


def test_nothing_is_left_in_the_environment_that_was_not_there(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with hidden_from_children():
        pass
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("name", ["plain", "a {b} c", "is it? #1 100%"])
def test_a_file_may_lie_in_a_folder_of_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    path = tmp_path / name / "study.db"
    storage = open_storage(Location.of_file(path))
    assert storage.get_all_studies() == []
    close_storage(storage)
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_tables_of_another_version_of_optuna_are_refused(tmp_path):
    location = Location.of_file(tmp_path / "study.db")
    close_storage(open_storage(location))
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    database.close()
    with pytest.raises(ForeignVersionError, match=r"study\.db: .* schema") as caught:
        open_storage(location)
    assert caught.value.exit_code == 4


def raised(error, *, within=None):
    """Return the error as one that came of another, as libraries wrap them."""
    try:
        raise error
    except Exception as first:
        try:
            raise (within or error) from (None if within is None else first)
        except Exception as second:
            return second


def operational(reason):
    return OperationalError("INSERT", {}, sqlite3.OperationalError(reason))


WRAPPERS = {
    "bare": lambda error: error,
    "by-optuna": lambda error: raised(error, within=StorageInternalError("in the commit")),
    "by-ray": lambda error: raised(
        raised(error, within=StorageInternalError("x")), within=RuntimeError("trial failed")
    ),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (operational("database or disk is full"), MachineError, "free space"),
        (operational("attempt to write a readonly database"), MachineError, "same command"),
        (operational("database is locked"), MachineError, "holds it open"),
        (operational("disk I/O error"), MachineError, "same command"),
        (operational("no such table: studies"), DamagedStudyError, "--recover"),
        (sqlite3.OperationalError("database is locked"), MachineError, "holds it open"),
        (
            DBAPIError("", {}, sqlite3.DatabaseError("database disk image is malformed")),
            DamagedStudyError,
            "--recover",
        ),
        (sqlite3.DatabaseError("file is not a database"), DamagedStudyError, "--recover"),
    ],
)
def test_what_sqlite_says_in_mid_search_becomes_an_error_with_a_remedy(wrap, error, kind, hint):
    place = translated(Location.of_file(DEFAULT))
    with pytest.raises(kind, match=r"^results/reg/study\.db: ") as caught, place:
        raise wrap(error)
    assert hint in caught.value.hint


def test_optunas_own_error_is_translated_where_nothing_is_behind_it():
    place = translated(Location.of_file(DEFAULT))
    with pytest.raises(MachineError, match="in the commit"), place:
        raise StorageInternalError("in the commit")


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_what_a_server_says_is_told_without_the_password(server, wrap):
    reason = f"connection failed:\n  FATAL: no entry for {SERVER}, {SECRET}\n"
    with pytest.raises(MachineError) as caught, translated(server):
        raise wrap(OperationalError("SELECT", {}, Exception(reason)))
    shown = caught.value.as_text()
    assert shown.startswith(f"error: {PUBLIC}: connection failed:; FATAL: no entry for {PUBLIC}")
    assert "s3cret" not in shown
    assert "run the same command again" in caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__  # so a traceback shows nothing of the driver's


@pytest.mark.parametrize(
    "error",
    [ValueError("ours"), OSError(28, "No space left"), ConfigError("a key"), KeyboardInterrupt()],
    ids=repr,
)
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught, translated(Location.of_file(DEFAULT)):
        raise error
    assert caught.value is error


def test_our_own_error_is_not_translated_for_what_led_to_it():
    mine = raised(operational("database is locked"), within=ConfigError("study.seed: 7 -> 8"))
    with pytest.raises(ConfigError), translated(Location.of_file(DEFAULT)):
        raise mine


@pytest.mark.parametrize("kind", [DamagedStudyError, ForeignVersionError])
def test_what_is_said_of_the_study_on_a_server_names_it_with_a_remedy_that_serves(server, kind):
    for hint, shown in ((RECOVER, "restore the database from its backups"), ("other", "other")):
        with pytest.raises(kind) as caught, translated(server):
            raise kind("study.db: event 2: study.db: changed", hint)
        assert type(caught.value) is kind
        assert caught.value.message == f"{PUBLIC}: event 2: study.db: changed"
        assert caught.value.hint.startswith(shown)
        assert "--recover" not in caught.value.hint


def test_what_is_said_of_the_study_in_a_file_names_the_file_and_keeps_its_remedy(tmp_path):
    location = Location.of_file(tmp_path / "fast.db")
    with pytest.raises(DamagedStudyError) as caught, translated(location):
        raise DamagedStudyError("study.db: event 2: changed", RECOVER)
    assert caught.value.message == f"{tmp_path / 'fast.db'}: event 2: changed"
    assert caught.value.hint == RECOVER
    with pytest.raises(DamagedStudyError, match=r"^model\.pt: x$"), translated(location):
        raise DamagedStudyError("model.pt: x")
