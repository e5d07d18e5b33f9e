"""A study folder and the database that holds its study belong together."""

import json

import pytest

from search.study.folder import StudyFolder, opened
from search.study.storage import VARIABLE, locate
from seresnet.errors import ConfigError, DataError

pytestmark = pytest.mark.postgres

IMAGES = {"train_sha256": "a", "val_sha256": "b"}


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
