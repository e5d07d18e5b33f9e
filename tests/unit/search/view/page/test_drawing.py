import subprocess
import sys

import pytest
import studies

from search.view.page import drawing

draw = drawing.draw  # before the fixture that keeps other tests from it


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
    draw(folder.path, None)
    assert folder.report in folder.products()
    assert folder.report.read_text().startswith("<!doctype html>")
    assert capsys.readouterr() == ("", "")


def test_the_study_is_looked_for_where_the_command_has_it(tmp_path, monkeypatch):
    asked = ran(monkeypatch, (0, "", ""))
    draw(tmp_path, "postgresql://here/db")
    flags = ["--study", str(tmp_path), "--storage", "postgresql://here/db"]
    assert asked == [[sys.executable, "-m", "search.report", *flags]]


def test_the_page_passes_none_of_the_places_that_a_test_counts(tmp_path, monkeypatch):
    log = tmp_path / "places.txt"
    monkeypatch.setenv("SEARCH_FAILPOINT_LOG", str(log))
    monkeypatch.setenv("SEARCH_FAILPOINT", "after-value:1")
    folder = studies.single(tmp_path / "one")
    draw(folder.path, None)
    assert folder.report.exists()
    assert not log.exists()


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
    draw(tmp_path, None)
    said = capsys.readouterr().err
    assert said.startswith("report.html could not be written")
    assert told in said
    assert f"to try again: python -m search.report --study {tmp_path}" in said
