"""`python -m search.simulate`: a table, JSON, what it refuses, and how light it starts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search import simulate

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "results" / "cpu-plan"


@pytest.fixture
def run(study_file, capsys):
    """A function that runs the command on the tiny study; returns its code, stdout and stderr."""

    def run(*arguments):
        code = simulate.main(["--space", str(study_file), *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_table_has_a_row_for_each_setting(run):
    code, out, err = run("--seeds", "2", "--workers", "1", "2", "--policy", "study", "random+none")
    assert (code, err) == (0, "")
    titles, *rows, last = out.splitlines()
    assert titles.split()[:4] == ["curves", "policy", "workers", "regret"]
    assert [row.split()[:3] for row in rows] == [
        ["crossing-mild", "study", "1"],
        ["crossing-mild", "study", "2"],
        ["crossing-mild", "random+none", "1"],
        ["crossing-mild", "random+none", "2"],
    ]
    assert last.startswith("means over 2 seeds of at most 12 epochs each")


def test_json_holds_the_same_for_machines(run):
    code, out, _ = run("--seeds", "2", "--json", "--curves", "hartmann-bad", "--budget", "17")
    content = json.loads(out)
    assert code == 0
    assert content["max_total_epochs"] == 17
    (row,) = content["rows"]
    assert (row["curves"], row["policy"], row["workers"]) == ("hartmann-bad", "study", 4)
    assert 13 < row["epochs"] <= 17
    assert row["regret"] >= row["regret_of_tried"] >= 0


def test_the_same_command_prints_the_same(run):
    assert run("--seeds", "2") == run("--seeds", "2")


def test_without_a_budget_the_study_runs_to_its_end(run):
    _, out, _ = run("--seeds", "1", "--num-trials", "9", "--policy", "none")
    assert "means over 1 seeds of 9 trials each" in out
    assert out.splitlines()[1].split()[7:11] == ["36", "9.0", "9.0", "0.0"]


def test_a_limit_of_the_study_file_is_kept_and_said(study_file, run):
    text = study_file.read_text()
    study_file.write_text(text.replace("seed: 7", "seed: 7, max_total_epochs: 14"))
    _, out, _ = run("--seeds", "1", "--policy", "none")
    assert "means over 1 seeds of at most 6 trials and 14 epochs each" in out
    assert out.splitlines()[1].split()[7:11] == ["12", "3.0", "3.0", "0.0"]


def test_recorded_curves_are_read_from_a_studys_tables(capsys):
    arguments = ["--space", RECORDED / "study.yaml", "--curves", RECORDED / "epochs.csv"]
    assert simulate.main([*map(str, arguments), "--seeds", "1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["trials"] == 14


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        pytest.param(
            ["--curves", "crossing-wild"],
            "--curves crossing-wild: no such family, did you mean crossing-mild?",
            "crossing-none, crossing-mild",
            id="family",
        ),
        pytest.param(
            ["--curves", "nowhere/epochs.csv"],
            "nowhere/trials.csv: no such table",
            "name a study folder",
            id="no-table",
        ),
        pytest.param(
            ["--curves", str(RECORDED / "epochs.csv")],
            "study.max_epochs is 4",
            "study.yaml",
            id="another-study",
        ),
        pytest.param(
            ["--policy", "halving"], "--policy halving: unknown part", "use study", id="policy"
        ),
        pytest.param(
            ["--policy", "asha:9,2"], "first rung must be in [1, 4], got 9", "last rung", id="rung"
        ),
        pytest.param(
            ["--workers", "4", "0"], "--workers: must be >= 1, got 0", "--workers", id="workers"
        ),
        pytest.param(["--seeds", "0"], "--seeds: must be >= 1, got 0", "--seeds", id="seeds"),
        pytest.param(
            ["--budget", "7"], "--budget: must be >= 8, baseline", "--budget", id="budget"
        ),
        pytest.param(
            ["--num-trials", "1"], "study.num_trials: must be >= 2", "correct it", id="num-trials"
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_remedy(run, arguments, message, hint):
    code, out, err = run(*arguments)
    lines = err.splitlines()
    assert (code, out) == (2, "")
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], err
    assert message in lines[0]
    assert hint in lines[1]


def test_a_bad_study_file_is_refused_with_its_line(study_file, run):
    study_file.write_text(study_file.read_text().replace("num_trials", "num_trails"))
    code, _, err = run()
    assert code == 2
    assert "tiny.yaml:1: study.num_trails: unknown key" in err


def test_help_ends_with_an_example(capsys):
    with pytest.raises(SystemExit) as end:
        simulate.main(["--help"])
    assert end.value.code == 0
    assert "example:\n  python -m search.simulate --space search_spaces/" in capsys.readouterr().out


def test_neither_ray_nor_torch_is_loaded(study_file):
    program = (
        "import sys; from search import simulate; "
        f"code = simulate.main(['--space', {str(study_file)!r}, '--seeds', '1']); "
        "print(code, sorted({'ray', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
