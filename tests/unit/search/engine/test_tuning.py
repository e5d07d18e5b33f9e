"""What comes out of Tune when it breaks off, as an error that says what to do."""

from types import SimpleNamespace

import pytest
import ray.exceptions
import ray.tune
import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage

from search.engine import tuning
from search.engine.course import Course
from search.engine.grants import Grant
from search.engine.tuning import MemoryKillError, run_search
from search.study.errors import DamagedStudyError, MachineError, UnfinishedError
from search.study.ledger import Ledger
from search.study.storage import Location, translated


class Stop:
    """A request to stop, as `StopRequest` is one."""

    is_set = False

    def awaited(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture
def broken(monkeypatch, study_config):
    """A function that runs a search whose Tune breaks off with an error, wrapped as Tune does."""
    stop = Stop()

    def broken(error, *, is_stopping=False):
        stop.is_set = is_stopping

        def fit():
            try:
                raise error
            except Exception as cause:
                raise ray.tune.TuneError("fit") from cause

        monkeypatch.setattr(tuning, "_tuner", lambda *_: SimpleNamespace(fit=fit))
        course = Course(Ledger.open(InMemoryStorage(), study_config), stop)
        run_search(lambda config: None, Grant(1, 0, 1), course)

    return broken


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        pytest.param(
            MachineError("t0001: no space", "free some"), MachineError, "t0001: no space", id="ours"
        ),
        pytest.param(
            ray.exceptions.OutOfMemoryError("1 worker(s) were killed\n(pid 7)"),
            MemoryKillError,
            r"a node ran out of memory: 1 worker\(s\) were killed \(pid 7\)",
            id="memory",
        ),
        pytest.param(RuntimeError("odd"), UnfinishedError, "Ray stopped: fit", id="odd"),
        pytest.param(OSError(28, "No space left on device"), OSError, "No space left", id="system"),
    ],
)
def test_the_error_below_rays_is_the_one_that_is_told(broken, error, kind, text):
    with pytest.raises(kind, match=text):
        broken(error)


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("database or disk is full", MachineError, 3),
        ("database disk image is malformed", DamagedStudyError, 4),
    ],
)
@pytest.mark.parametrize("is_wrapped", [True, False], ids=["by-optuna", "bare"])
def test_a_database_that_refuses_in_mid_search_keeps_its_code(
    broken, tmp_path, reason, kind, code, is_wrapped
):
    error = sqlalchemy.exc.OperationalError("INSERT", {}, Exception(reason))
    if is_wrapped:
        cause, error = error, StorageInternalError("An exception is raised during the commit")
        error.__cause__ = cause
    with (
        pytest.raises(kind, match=reason) as caught,
        translated(Location.of_file(tmp_path / "study.db")),
    ):
        broken(error)
    assert caught.value.exit_code == code


def test_while_the_command_is_ending_what_breaks_is_nobodys_fault(broken):
    with pytest.raises(UnfinishedError, match="trials are not at their end"):
        broken(RuntimeError("the raylet is gone"), is_stopping=True)
