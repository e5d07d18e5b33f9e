"""A search in processes of its own, for tests that kill them."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from search.results import read_epochs, read_trials

STUDY = """\
study: {num_trials: 4, min_epochs: 2, max_epochs: 6, reduction_factor: 2, seed: 11}
data: {source: synthetic, num_val: 256, num_train: 384}
train: {channels: [8, 8, 16, 16], precision: fp32}
space:
  dropout: {low: 0.0, high: 0.5}
  warmup_epochs: {low: 0, high: 1}
baseline: {dropout: 0.2, warmup_epochs: 1}
recipes:
  plain: {dropout: 0.0, warmup_epochs: 0}
sampler: {name: tpe, num_startup: 2}
pruner: {name: asha, rungs: fixed}
retrain: {epochs: 2, seeds: [0]}
confirm: {top: 0}
"""
PATIENCE = 180.0  # seconds: a start of Ray on a busy machine takes up to 60
# What may differ between two runs of one study.
TIMES = ["seconds", "images_per_second", "attempts", "node"]


@dataclass
class Search:
    """`python -m search.tune` on one small study, as often as it is started."""

    root: Path
    options: tuple[str, ...] = ("--max-concurrent", "1", "--no-retrain")

    @property
    def folder(self) -> Path:
        return self.root / "results" / "faulty"

    def start(self, *options: str, script: str = "", **environment: str) -> subprocess.Popen[str]:
        """Start the command, or a script in its place, in a process group of its own."""
        file = self.root / "faulty.yaml"
        if not file.exists():
            file.write_text(STUDY)
        results = str(self.root / "results")
        command = [script] if script else ["-m", "search.tune"]
        command += ["--space", str(file), "--results", results]
        return self._popen([*command, *self.options, *options], environment)

    def start_command(self, module: str, folder: Path, *options: str) -> subprocess.Popen[str]:
        """Start another command on a study folder."""
        return self._popen(["-m", module, "--study", str(folder), *options], {})

    def _popen(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, **environment},
        )  # fmt: skip

    def run(self, *options: str, **environment: str) -> tuple[int, str]:
        """Start the command and wait for its end; return its exit code and what it told."""
        return self.ended(self.start(*options, **environment))

    def num_epochs(self) -> int:
        """Return how many epochs the study holds, which a driver may be writing."""
        try:
            file = f"file:{self.folder}/study.db?mode=ro"
            with closing(sqlite3.connect(file, uri=True)) as database:
                query = "SELECT count(*) FROM trial_intermediate_values"
                return int(database.execute(query).fetchone()[0])
        except sqlite3.Error:
            return 0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that other processes bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def await_epochs(self, process: subprocess.Popen[str], number: int) -> None:
        """Wait until the study holds so many epochs."""
        self.wait_for(lambda: self.num_epochs() >= number or process.poll() is not None)
        assert process.poll() is None, process.communicate()

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Return the exit code of a command and what it told a person, without a traceback."""
        _, told = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in told, told
        return process.returncode, told

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a driver as the kernel does, at once and alone."""
        process.kill()
        process.communicate()

    def workers_of(self, process: subprocess.Popen[str]) -> list[int]:
        """Return the processes, by id, that carry out trials of a driver."""
        parents, names = {}, {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "stat").read_text()
                names[int(path.name)] = (path / "cmdline").read_text()
            except OSError:
                continue
            parents[int(path.name)] = int(status.rpartition(")")[2].split()[1])

        def descends(pid: int) -> bool:
            while pid in parents and pid != process.pid:
                pid = parents[pid]
            return pid == process.pid

        return [pid for pid, name in names.items() if "ImplicitFunc" in name and descends(pid)]

    def assert_as(self, expected: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        """See that a study with one worker came out as if nothing had happened to it."""
        for table, wanted in zip(self.tables(), expected, strict=True):
            pd.testing.assert_frame_equal(table, wanted, check_exact=True)
        assert not self.tables()[1].duplicated(["trial", "epoch"]).any()

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return trials and epochs without what depends on time and place."""
        trials, epochs = read_trials(self.folder), read_epochs(self.folder)
        return trials.drop(columns=TIMES), epochs.drop(columns=TIMES, errors="ignore")


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    return Search(tmp_path)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of the study when nothing happens to it."""
    search = Search(tmp_path_factory.mktemp("undisturbed"))
    code, told = search.run()
    assert code == 0, told
    return search.tables()


@pytest.fixture
def study() -> str:
    """The study file, to be changed."""
    return STUDY
