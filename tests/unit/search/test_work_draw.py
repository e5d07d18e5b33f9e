import subprocess
import sys
from argparse import Namespace

import pytest
import studies

from search import work
from search.study.folder import StudyFolder

draw = work.draw  # before the fixture that keeps other tests from it


def study_in(folder, storage=None):
    return work.Work(folder, None, None, None, None, "here", Namespace(storage=storage))


def ran(monkeypatch, outcome):
    """Let the process come to this end; return the commands that were asked for."""
    asked = []

    def run(command, **options):
        asked.append(command)
        if isinstance(outcome, BaseException):
            raise outcome
        return subprocess.CompletedProcess(command, *outcome)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_the_page_is_written(tmp_path, capsys):
    folder = studies.single(tmp_path / "one")
    draw(study_in(folder))
    assert folder.report in folder.products()
    assert folder.report.read_text().startswith("<!doctype html>")
    assert capsys.readouterr() == ("", "")


def test_the_study_is_looked_for_where_the_command_has_it(tmp_path, monkeypatch):
    asked = ran(monkeypatch, (0, "", ""))
    draw(study_in(StudyFolder(tmp_path), "postgresql://here/db"))
    flags = ["--study", str(tmp_path), "--storage", "postgresql://here/db"]
    assert asked == [[sys.executable, "-m", "search.report", *flags]]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ((3, "", "error: No space left on device\nhint: free space\n"), "No space left on device"),
        ((1, "", "Traceback (most recent call last):\n  ...\nKeyError: 7\n"), "(KeyError: 7)"),
        ((-9, "", ""), "it ended without a word"),
        (subprocess.TimeoutExpired("python", 120), "timed out after 120"),
        (FileNotFoundError(2, "No such file", "python"), "No such file"),
    ],
    ids=["refused", "bug", "killed", "too slow", "no python"],
)
def test_whatever_happens_to_the_page_the_command_goes_on(
    tmp_path, monkeypatch, capsys, outcome, told
):
    ran(monkeypatch, outcome)
    draw(study_in(StudyFolder(tmp_path)))
    said = capsys.readouterr().err
    assert said.startswith("report.html could not be written")
    assert told in said
    assert f"to try again: python -m search.report --study {tmp_path}" in said
