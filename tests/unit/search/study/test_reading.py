"""A study opened to be read: refused where it is not, and nothing made by looking."""

import json

import pytest

from fakes import IMAGES
from search.study.folder import opened
from search.study.ledger import Ledger
from search.study.reading import read
from search.study.storage import VARIABLE
from seresnet.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_study_is_read_under_its_name(study_dir, study_config):
    with opened(study_dir, study_config, IMAGES) as ledger:
        born = ledger.id
    with read(study_dir) as (storage, name):
        assert Ledger.load(storage, study_name=name).id == born


def test_a_folder_without_a_study_is_refused_and_left_empty(study_dir):
    with pytest.raises(DataError, match=r"holds no study \(.*study\.db is missing\)"):
        read(study_dir).__enter__()
    assert list(study_dir.path.iterdir()) == []


def test_a_folder_whose_study_lies_on_a_server_asks_for_its_url(study_dir):
    record = {"study": "0123", "storage": "postgresql://ann:***@db.example/team"}
    study_dir.provenance.write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"its study lies in postgresql://ann:\*") as caught:
        read(study_dir).__enter__()
    assert VARIABLE in caught.value.hint
