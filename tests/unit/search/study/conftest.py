"""Fixtures that the tests of a study share."""

import pytest

from fakes import make_database
from search.study.storage import sqlite_storage


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with its tables: to make them takes longer than all that a test does."""
    path = tmp_path_factory.mktemp("template") / "study.db"
    sqlite_storage(path)
    return path


@pytest.fixture
def study(tmp_path):
    """A study folder's database with 50 rows."""
    path = tmp_path / "reg" / "study.db"
    path.parent.mkdir()
    make_database(path, 50)
    return path


@pytest.fixture
def backups(study):
    return study.parent / "backups"
