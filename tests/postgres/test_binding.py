"""A study folder and the database that holds its study belong together."""

import json

import pytest
from sqlalchemy import text

from fakes import IMAGES
from search.study.errors import DamagedStudyError, MachineError
from search.study.folder import StudyFolder, opened
from search.study.lock import database_locked
from search.study.storage import VARIABLE, close_storage, locate, open_storage
from seresnet.errors import ConfigError, DataError

pytestmark = pytest.mark.postgres


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "results" / "reg")


def on_server(folder, study_config):
    """Open the study in the database that the environment names."""
    return opened(folder, study_config, IMAGES, location=locate(None, folder.database))


def assert_no_secret(text):
    """The password's one word that no escape changes."""
    assert "s3cret" not in text


def test_a_folder_whose_study_lies_on_a_server_asks_for_its_url(
    url, folder, study_config, monkeypatch
):
    location = locate(None, folder.database)
    with opened(folder, study_config, IMAGES, location=location) as ledger:
        content = {"study": ledger.id, "storage": location.recorded}
        folder.provenance.write_text(json.dumps(content))
    monkeypatch.delenv(VARIABLE)
    refused = pytest.raises(ConfigError, match=r"its study lies in postgresql://ann:\*\*\*@")
    with refused as caught, on_server(folder, study_config):
        pass
    assert VARIABLE in caught.value.hint
    assert not folder.database.exists()


@pytest.mark.parametrize("held", ["no study", "study "])
def test_a_database_with_another_study_of_that_name_is_not_the_folders(
    url, folder, study_config, held
):
    folder.create()
    folder.provenance.write_text(json.dumps({"study": "0123456789abcdef"}))
    if held != "no study":
        with on_server(StudyFolder(folder.path.parents[1] / "theirs" / "reg"), study_config):
            pass
    with (
        pytest.raises(DataError, match=f"belongs to study 0123456789ab, but .* holds {held}"),
        on_server(folder, study_config),
    ):
        pass
    if held == "no study":  # and none was made by being refused
        with pytest.raises(DataError, match="holds no study"), on_server(folder, study_config):
            pass


def test_a_servers_backups_are_not_ours_to_recover(url, folder, study_config):
    location = locate(None, folder.database)
    with (
        pytest.raises(ConfigError, match="--recover: must be used with SQLite") as caught,
        opened(folder, study_config, IMAGES, location=location, recovering=True),
    ):
        pass
    assert_no_secret(caught.value.as_text())


def execute(location, statement):
    """Run a statement as somebody else; return the number of rows that it touched."""
    storage = open_storage(location)
    with storage.engine.begin() as connection:
        num_rows = connection.execute(text(statement)).rowcount
    close_storage(storage)
    return num_rows


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE trial_user_attributes SET value_json = '{'", "the study cannot be read: JSON"),
        ("DELETE FROM trial_params", "event 1: "),
    ],
)
def test_a_damaged_study_on_a_server_is_named_with_a_remedy_that_serves(
    url, folder, study_config, statement, complaint
):
    with on_server(folder, study_config) as ledger:
        ledger.suggest()
    location = locate(None, folder.database)
    assert execute(location, statement)
    with pytest.raises(DamagedStudyError) as caught, on_server(folder, study_config):
        pass
    assert caught.value.message.startswith(f"{location.masked}: {complaint}")
    assert caught.value.hint.startswith("restore the database from its backups")
    assert_no_secret(caught.value.as_text())


END_THE_LOCKS_CONNECTION = """\
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND datname = current_database()"""


def test_a_storage_whose_lock_alone_is_lost_is_refused_within_seconds(url, folder):
    now, location = 0.0, locate(None, folder.database)
    with database_locked(location, "reg", clock=lambda: now) as guard:
        storage = open_storage(location)
        guard(storage)
        assert storage.get_all_studies() == []
        now = 5.0
        assert storage.get_all_studies() == []
        assert execute(location, END_THE_LOCKS_CONNECTION) == 1
        with database_locked(location, "reg"):  # as another driver may at once
            now = 9.9
            assert storage.get_all_studies() == []
            now = 10.0
            for _ in range(2):  # and stays refused
                with pytest.raises(MachineError, match="ended the connection") as caught:
                    storage.get_all_studies()
                assert caught.value.exit_code == 3
        close_storage(storage)
