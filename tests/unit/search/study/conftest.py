"""Fixtures that the tests of a study share."""

import pytest

from fakes import make_database


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
