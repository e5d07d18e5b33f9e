"""`search.status` as a command: on studies at every stage, on a running one, on what is none."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

import fakes
from search import ablate, confirm, retrain, status, tune
from search.study.folder import StudyFolder, opened
from search.study.ledger import Ledger
from search.study.reading import read
from search.study.replay import replay
from search.study.space import load_study
from search.study.storage import VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(capsys):
    """A function that runs the command and returns what it printed."""

    def shown(*arguments):
        capsys.readouterr()
        assert status.main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    return shown


@pytest.fixture
def told(shown):
    """A function that returns a study as JSON."""
    return lambda folder: json.loads(shown("--study", folder.path, "--format", "json"))


def test_a_study_whose_search_is_done_is_stopped_before_its_next_stage(folder, shown, told):
    lines = shown("--study", folder.path).splitlines()
    assert lines[:3] == [
        f"{folder.path}: stopped before retrain",
        "retrain  0/1 runs, 0 of 2 epochs",
        "winner   t0001 plain",
    ]
    assert lines[3].endswith(" of search")
    assert lines[4].startswith("last activity ")
    record = told(folder)
    assert (record["state"], record["stage"], record["driver"]) == ("stopped", "retrain", None)
    assert (record["trials"], record["num_trials"], record["epochs"]) == (2, 2, 8)
    assert record["gain"] == 0.2 - 0.1  # to the last bit
    assert record["states"] == {"COMPLETE": 2}
    assert record["bytes"] == sum(p.stat().st_size for p in folder.path.rglob("*") if p.is_file())


def test_a_study_that_was_interrupted_says_so(folder, study_file, shown, told):
    config = load_study(study_file, {"study.num_trials": 3})
    with opened(folder, config, fakes.IMAGES) as ledger:
        fakes.run(ledger, 0.5)
    assert shown("--study", folder.path).splitlines()[:3] == [
        f"{folder.path}: stopped search",
        "epochs  9 of at most 12 epochs",
        "trials  2/3 trials (2 complete, 1 interrupted)",
    ]
    (trial,) = told(folder)["running"]
    assert (trial["trial"], trial["epochs"], trial["max_epochs"]) == ("t0002", 1, 4)


def test_each_stage_after_the_search_is_told_until_all_is_done(folder, trained, told, shown):
    options = ["--seeds", "11", "12", "--epochs", "2"]
    trained.append("interrupt t0001-seed12")
    assert confirm.main(["--study", str(folder.path), "--top", "1", *options]) == 130
    record = told(folder)
    assert (record["state"], record["stage"], record["confirmation"]) == (
        "stopped",
        "confirm",
        None,
    )
    assert [run["run"] for run in record["runs"] if run["is_done"]] == [
        "t0001-seed11", "t0000-seed11",
    ]  # fmt: skip
    assert shown("--study", folder.path).startswith(f"{folder.path}: stopped confirm 2/4\n")
    trained.append("interrupt seed0")
    assert retrain.main(["--study", str(folder.path)]) == 130
    record = told(folder)
    assert (record["stage"], record["winner"]) == ("retrain", "t0001")
    assert record["confirmation"].startswith("t0001 is shown to be better")
    trained.append("interrupt revert-dropout-seed12")
    assert ablate.main(["--study", str(folder.path), *options]) == 130
    assert told(folder)["stage"] == "ablate"
    for command in (ablate, retrain):
        assert command.main(["--study", str(folder.path)]) == 0
    record = told(folder)
    assert (record["state"], record["stage"], record["runs"]) == ("done", None, [])
    assert str(folder.path / "retrain" / "seed0" / "model.pt") in record["products"]
    text = shown("--study", folder.path)
    assert text.startswith(f"{folder.path}: done\n")
    assert "\nverdict: t0001 is shown to be better than the baseline" in text
    assert "\nablation of t0001: " in text


def test_looking_changes_nothing(folder, told):
    paths = [folder.path, *folder.path.rglob("*")]
    before = {p: (p.stat(), p.is_file() and p.read_bytes()) for p in paths}
    told(folder)
    for path, (stat, content) in before.items():
        assert path.stat().st_mtime_ns == stat.st_mtime_ns
        assert path.is_dir() or path.read_bytes() == content
    assert sorted([folder.path, *folder.path.rglob("*")]) == sorted(before)


DRIVER = """\
import sys
from pathlib import Path
import fakes
from search.study.folder import StudyFolder, opened
with opened(StudyFolder(Path(sys.argv[1])), fakes.CONFIG, fakes.IMAGES) as ledger:
    first = ledger.suggest()
    fakes.report_next(ledger, first)
    print("begun", flush=True)
    sys.stdin.readline()
    ledger.hand_back(first.number)
    fakes.play_out(ledger, 3)
"""


def driver(folder):
    """A process that drives a study as three workers would, and waits after its first epoch."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder.path)],
        env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True,
    )  # fmt: skip


def undisturbed():
    """Trials of the same study, at which nobody looked."""
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    first = ledger.suggest()
    fakes.report_next(ledger, first)
    ledger.hand_back(first.number)
    return fakes.trials_of(fakes.play_out(ledger, 3))


def test_a_running_study_is_seen_as_it_is_and_is_not_disturbed(tmp_path, told, shown):
    folder = StudyFolder(tmp_path / "watched")
    with driver(folder) as process:
        assert process.stdout.readline() == "begun\n"
        record = told(folder)
        assert (record["state"], record["stage"], record["epochs"]) == ("running", "search", 1)
        assert record["driver"].startswith(f"process {process.pid} on ")
        assert [(each["trial"], each["epochs"]) for each in record["running"]] == [("t0000", 1)]
        text = shown("--study", folder.path)
        assert f"\ndriven by process {process.pid} on " in text
        assert "t0000  1/4  " in text
        process.stdin.write("\n")
        process.stdin.flush()
        seen = [1]
        while process.poll() is None:
            seen.append(told(folder)["epochs"])
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert seen == sorted(seen)
    with read(folder) as (storage, name):
        assert replay(storage, study_name=name).difference == ""
        trials = fakes.trials_of(Ledger.load(storage, study_name=name))
    assert trials == undisturbed()
    record = told(folder)
    assert record["driver"] is None
    assert record["epochs"] == sum(len(trial.epochs) for trial in trials)


@pytest.fixture
def results(folder, trained):
    """A folder of results with a study, and with all that may lie beside it."""
    results = folder.path.parent
    (results / "README.md").write_text("studies\n")
    (results / ".hidden").mkdir()
    (results / "empty").mkdir()
    shutil.copytree(ROOT / "results" / "cpu-plan", results / "published")
    shutil.copytree(folder.path, results / "rotten")
    fakes.damage(results / "rotten" / "study.db", 9)
    (results / "foreign").mkdir()
    fakes.make_database(results / "foreign" / "study.db", 3)
    (results / "server").mkdir()
    record = {"study": "0123", "storage": "postgresql://ann:***@db.example/team"}
    (results / "server" / "provenance.json").write_text(json.dumps(record))
    return results


def test_all_studies_are_listed_and_what_is_none_says_so(results, shown):
    titles, *lines = shown("--results", results).splitlines()
    assert titles.split() == (
        ["study", "state", "best", "gain", "trials", "epochs", "last", "activity", "disk"]
    )  # fmt: skip
    rows = {line.split()[0]: line for line in lines}
    assert sorted(rows) == ["empty", "foreign", "published", "rotten", "server", "tiny"]
    assert "no study" in rows["empty"]
    assert "holds no study of this program" in rows["foreign"]
    assert "tables only" in rows["published"]
    assert "study.db is missing" in rows["published"]
    assert rows["rotten"].split()[1] == "damaged"
    assert rows["rotten"].endswith("  study.db: database disk image is malformed")
    assert "its study lies in postgresql://ann:***@db.example/team" in rows["server"]
    assert " stopped before retrain  t0001 0.2000  +0.1000  2/2     8 " in rows["tiny"]


def test_rows_for_programs_hold_numbers_in_full(results, shown):
    records = json.loads(shown("--results", results, "--format", "json"))
    tiny, published = (
        next(each for each in records if each["study"] == name) for name in ("tiny", "published")
    )
    assert (tiny["val_accuracy"], tiny["gain"]) == (0.2, 0.2 - 0.1)
    assert published["trials"] == 14
    assert published["trial"] == "t0013"
    text = shown("--results", results, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(records)
    assert list(rows[0]) == list(records[0])
    (row,) = (row for row in rows if row["study"] == "tiny")
    assert float(row["gain"]) == tiny["gain"]
    assert row["driver"] == ""
    (row,) = csv.DictReader(io.StringIO(shown("--study", results / "tiny", "--format", "csv")))
    assert (row["study"], float(row["val_accuracy"])) == ("tiny", 0.2)


def test_a_study_of_tables_alone_is_shown_at_length(results, shown):
    lines = shown("--study", results / "published").splitlines()
    assert lines[0].endswith("published: tables only")
    assert lines[1] == "shown from its tables: holds no study (study.db is missing)"
    assert lines[-1].endswith("submission.csv")


def test_a_study_in_its_folder_is_looked_at_though_the_environment_names_a_server(
    folder, told, monkeypatch
):
    monkeypatch.setenv(VARIABLE, "postgresql://ann@db.example/team")
    assert told(folder)["trials"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--study", "empty"], 2, "empty: holds no study (study.db is missing)"),
        (["--study", "rotten"], 4, "rotten/study.db: database disk image is malformed"),
        (["--study", "server"], 2, "its study lies in postgresql://ann:***@db.example/team"),
        (["--storage", "x.db"], 2, "--storage: must stand beside --study"),
        (["--results", "nowhere"], 2, "nowhere: no such folder"),
    ],
    ids=["empty", "damaged", "server", "storage", "nowhere"],
)
def test_what_cannot_be_shown_is_an_error_with_its_code(
    results, monkeypatch, capsys, arguments, code, told
):
    monkeypatch.chdir(results)
    assert status.main(arguments) == code
    assert told in capsys.readouterr().err


def test_a_folder_without_studies_has_no_rows(tmp_path, capsys):
    assert status.main(["--results", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{tmp_path}: no studies\n")
    assert status.main(["--results", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def sealed(folder, command):
    """The command where the folder cannot be written, if this machine lets us make that."""
    path = str(folder.path)
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && ! touch "$0/x" 2>&-'
    closed = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', path]
    if shutil.which("unshare") is None:
        return command
    trial = subprocess.run([*closed, "true"], capture_output=True, check=False)
    return command if trial.returncode else [*closed, *command]


def test_the_command_is_light_and_serves_a_folder_that_cannot_be_written(folder):
    code = (
        "import sys; from search import status; code = status.main(sys.argv[1:]);"
        "assert not {'ray', 'torch', 'scipy', 'pandas'} & set(sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "--study", str(folder.path), "--format", "csv"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        sealed(folder, command), env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny,stopped,retrain,t0001,0.2," in done.stdout


def texts_of(folder):
    """All that lies in a folder, as bytes; a database as what its tables hold."""
    import sqlite3
    from contextlib import closing

    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield path, path.read_bytes()
        if path.suffix == ".db":
            with closing(sqlite3.connect(path)) as database:
                yield path, "\n".join(database.iterdump()).encode()


def test_a_study_holds_no_path_of_its_own_and_can_be_moved(
    folder, trained, study_file, tmp_path, monkeypatch, capsys, told
):
    study = ["--study", str(folder.path)]
    options = ["--seeds", "11", "12", "--epochs", "2"]
    assert confirm.main([*study, "--top", "1", *options]) == 0
    assert ablate.main([*study, *options]) == 0
    assert retrain.main(study) == 0
    for path, content in texts_of(folder.path):
        assert str(folder.path).encode() not in content, path
        assert str(tmp_path).encode() not in content, path
    moved = StudyFolder(tmp_path / "elsewhere" / "renamed")
    moved.path.parent.mkdir()
    folder.path.rename(moved.path)
    trained.clear()
    for command in (confirm, ablate, retrain):
        assert command.main(["--study", str(moved.path)]) == 0
    assert trained == []
    assert told(moved)["state"] == "done"

    def run_search(trainable, granted, course):
        while course.ledger.num_remaining:
            fakes.run(course.ledger, 0.1, 0.1, 0.1, 0.1)

    monkeypatch.setattr("search.engine.tuning.run_search", run_search)
    monkeypatch.setattr("search.engine.trial.trainable", lambda *_: None)
    arguments = ["--results", str(moved.path.parent), "--name", "renamed", "--num-trials", "4"]
    assert tune.main(["--space", str(moved.study_file), *arguments, "--no-retrain"]) == 0
    assert (told(moved)["trials"], told(moved)["trial"]) == (4, "t0001")
