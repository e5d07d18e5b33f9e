"""Studies of several kinds as a reader sees them, each made once."""

import pytest
import studies

from search.study.snapshot import take_snapshot


@pytest.fixture(scope="package")
def made(tmp_path_factory):
    """A function that gives the snapshot of a study of this kind; see `studies`."""
    root, known = tmp_path_factory.mktemp("studies"), {}

    def snapshot_of(kind):
        if kind not in known:
            known[kind] = take_snapshot(getattr(studies, kind)(root / kind))
        return known[kind]

    return snapshot_of


@pytest.fixture
def whole(made):
    """A finished, confirmed study with two failures."""
    return made("whole")
