"""`search.replay --rungs`: what other rungs would have done, from a study or its tables."""

import shutil
from pathlib import Path

import pytest

from search import replay

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "cpu-plan"
STORED = ROOT / "tests" / "assets" / "study_v1"


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs the command; returns its code, stdout and stderr."""
    monkeypatch.chdir(ROOT)

    def run(study, rungs):
        code = replay.main(["--study", str(study), "--rungs", rungs])
        return code, *capsys.readouterr()

    return run


def test_the_documentation_shows_what_is_printed_of_the_published_study(run):
    text = (ROOT / "docs" / "explanation" / "early-stopping.md").read_text()
    command = "    python -m search.replay --study results/cpu-plan --rungs auto:9,2\n\n"
    shown = text.split(command, 1)[1].split("\n\nWhat it tells", 1)[0]
    code, out, err = run("results/cpu-plan", "auto:9,2")
    assert (code, err) == (0, "")
    assert [line.removeprefix("    ") for line in shown.splitlines()] == out.splitlines()


def test_the_published_studys_own_rungs_stop_whom_they_stopped(run):
    _, out, _ = run(PUBLISHED, "12,2")
    stopped = [line.split()[0] for line in out.splitlines() if "PRUNED, 12 epochs" in line]
    assert stopped == ["t0002", "t0004", "t0006", "t0007", "t0009", "t0010", "t0011"]
    assert "would have been stopped\nt0002" in out
    assert "COMPLETE, 24" not in out
    assert out.endswith("(epoch 12: 0.5997 is place 3 of 14)\nrecorded epochs saved: 0\n")


def test_a_stored_study_is_taken_in_the_order_in_which_it_came_about(run, tmp_path):
    folder = tmp_path / "crowd"
    folder.mkdir()
    shutil.copy(STORED / "study.db", folder / "study.db")
    before = (folder / "study.db").read_bytes()
    code, out, _ = run(folder, "1,2")
    assert code == 0
    assert "rungs 1, 2, one in 2 goes on; results as they came in:" in out
    assert out.count(" PRUNED, ") == 10  # all that it stopped, and where; four ran at a time
    assert out.endswith("recorded epochs saved: 0\n")
    assert (folder / "study.db").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["study.db"]


def test_without_rungs_nobody_is_stopped(run):
    _, out, _ = run(PUBLISHED, "none")
    assert "\nwithout rungs nobody is stopped\nt0013, the best with 0.6880, comes to" in out
    assert "not known: 7 trials that the study stopped would have gone on to epoch 24 at" in out


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        pytest.param("early", "--rungs early: must be auto, none or EPOCH,FACTOR", id="no-rungs"),
        pytest.param("25,2", "--rungs 25,2: first rung must be in [1, 24], got 25", id="too-late"),
    ],
)
def test_what_is_no_rungs_is_refused(run, rungs, message):
    code, out, err = run(PUBLISHED, rungs)
    assert (code, out) == (2, "")
    assert message in err
    assert "hint: " in err


def test_a_folder_without_study_and_tables_is_refused(run, tmp_path):
    shutil.copy(PUBLISHED / "study.yaml", tmp_path)
    code, _, err = run(tmp_path, "auto")
    assert code == 2
    assert "holds no study" in err
