"""The whole command on PostgreSQL: the tables of SQLite, and the password nowhere."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from search.study.storage import VARIABLE

pytestmark = pytest.mark.postgres


def written_in(folder):
    """Return all that lies in a folder, as one text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path} {path.read_bytes()!r}" for path in files)


def assert_no_secret(text):
    """The password's one word that no escape changes."""
    assert "s3cret" not in text


def knowing(secret, *, but):
    """Return the commands of processes whose environment holds a secret, and of Ray's workers."""
    known, workers = set(), set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if command.startswith(b"ray::"):
                workers.add(command)
            if secret in (process / "environ").read_bytes() and int(process.name) not in but:
                known.add(command)
    return known, workers


@pytest.mark.ray
@pytest.mark.slow
def test_the_command_makes_the_same_tables_on_both_and_shows_no_password(url, tmp_path):
    from search.results import read_epochs, read_trials

    study = Path(__file__).parents[2] / "search_spaces" / "demo.yaml"
    known, workers = set(), set()
    for name in ("server", "file"):
        command = [
            sys.executable, "-m", "search.tune", "--space", str(study), "--name", name,
            "--results", str(tmp_path), "--data", str(tmp_path), "--num-trials", "4",
            "--max-concurrent", "1", "--no-retrain",
        ]  # fmt: skip
        environment = {**os.environ, VARIABLE: url if name == "server" else ""}
        with (
            (tmp_path / "shown").open("a") as shown,
            subprocess.Popen(command, env=environment, stdout=shown, stderr=shown) as driver,
        ):
            while driver.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    driver.wait(timeout=1)
                seen = knowing(quote("s3cret-7f/", safe="").encode(), but=(driver.pid, os.getpid()))
                known, workers = known | seen[0], workers | seen[1]
        assert driver.returncode == 0, (tmp_path / "shown").read_text()
    for read in (read_trials, read_epochs):
        first, second = (
            read(tmp_path / name).drop(columns=["seconds", "images_per_second"])
            for name in ("server", "file")
        )
        assert first.equals(second)
    assert not (tmp_path / "server" / "study.db").exists()
    record = json.loads((tmp_path / "server" / "provenance.json").read_text())
    assert record["storage"].startswith("postgresql://ann:***@127.0.0.1")
    assert_no_secret(written_in(tmp_path))  # what was shown lies there too
    assert workers
    assert not known
