import json
import re
from importlib.metadata import version

import pytest
from optuna.storages import InMemoryStorage

from search.study import provenance
from search.study.ledger import Ledger
from search.study.provenance import (
    code_version,
    hardware,
    packings,
    record_packing,
    record_start,
)

DATA = {"source": "synthetic", "train_sha256": "ab", "val_sha256": "cd", "files": None}


@pytest.fixture
def ledger(study_config):
    return Ledger.open(InMemoryStorage(), study_config)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "provenance.json"


def test_the_facts_of_a_study_are_recorded(path, ledger):
    record_start(
        path,
        ledger,
        DATA,
        command="python -m search.tune --space 'a b.yaml'",
        stored_in="sqlite:///study.db",
    )
    content = json.loads(path.read_text())
    assert list(content) == ["study", "storage", "seed", "data", "starts"]
    assert (content["study"], content["seed"], content["data"]) == (ledger.id, 7, DATA)
    assert content["storage"] == "sqlite:///study.db"
    (start,) = content["starts"]
    assert start["command"] == "python -m search.tune --space 'a b.yaml'"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", start["at"])
    assert start["versions"]["optuna"] == version("optuna")
    assert {"python", "torch", "ray", "numpy", "pandas"} < set(start["versions"])
    assert start["hardware"]["cpus"] >= 1
    assert start["hardware"]["memory_gb"] > 0
    assert {"commit", "dirty"} < set(start)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("--study {}/a b/results/reg", "--study results/reg"),
        ("'--study={}/a b/results/reg' -v", "'--study=results/reg' -v"),
        ("--space '{}/a b/spaces/x.yaml' --data /data", "--space 'spaces/x.yaml' --data /data"),
        ("--storage 'sqlite:///{}/a b/results/reg/study.db'",
         "--storage 'sqlite:///results/reg/study.db'"),
        ("--data {}/elsewhere --test /mnt{}/a b/x", "--data {}/elsewhere --test /mnt{}/a b/x"),
        ("--study results/reg", "--study results/reg"),
    ],
)  # fmt: skip
def test_what_lies_beside_the_results_is_named_from_there(tmp_path, ledger, typed, kept):
    path = tmp_path / "a b" / "results" / "reg" / "provenance.json"
    command = typed.replace("{}", str(tmp_path))
    record_start(path, ledger, DATA, command=command, stored_in="sqlite:///study.db")
    (start,) = json.loads(path.read_text())["starts"]
    assert start["command"] == kept.replace("{}", str(tmp_path))


def test_starts_accumulate_and_the_first_stay_as_they_were(path, ledger):
    for command in ("first", "second", "third"):
        before = json.loads(path.read_text())["starts"] if path.exists() else []
        record_start(path, ledger, DATA, command=command, stored_in="sqlite:///study.db")
        assert json.loads(path.read_text())["starts"][:-1] == before
    assert [s["command"] for s in json.loads(path.read_text())["starts"]] == [
        "first", "second", "third",
    ]  # fmt: skip


def test_a_packing_is_added_to_the_newest_start_alone(path, ledger):
    for command in ("first", "second"):
        record_start(path, ledger, DATA, command=command, stored_in="sqlite:///study.db")
        before = json.loads(path.read_text())
        record_packing(path, {"rows": [command]})
    after = json.loads(path.read_text())
    assert after["starts"][0]["packing"] == {"rows": ["first"]}
    assert after["starts"][1].pop("packing") == {"rows": ["second"]}
    assert after == before
    record_start(path, ledger, DATA, command="third", stored_in="sqlite:///study.db")
    assert packings(path) == [{"rows": ["second"]}, {"rows": ["first"]}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(None, [], id="no-file"),
        pytest.param('{"starts": 5}', [], id="no-list"),
        pytest.param('{"starts": [5, {"packing": 6}, {}]}', [6], id="odd-starts"),
    ],
)
def test_packings_are_read_from_whatever_file_there_is(path, text, expected):
    if text is not None:
        path.write_text(text)
    assert packings(path) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"starts": [', id="torn"),
        pytest.param("{}", id="without-starts"),
        pytest.param("\udcff", id="not-utf-8"),
        pytest.param("[]", id="a-list"),
        pytest.param('{"starts": 5}', id="starts-that-are-no-list"),
    ],
)
def test_a_damaged_file_does_not_stop_the_study(path, ledger, text):
    path.write_text(text, errors="surrogateescape")
    record_start(path, ledger, DATA, command="again", stored_in="sqlite:///study.db")
    assert [s["command"] for s in json.loads(path.read_text())["starts"]] == ["again"]


def test_nothing_of_the_environment_is_recorded(path, ledger, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tell-nobody")
    monkeypatch.setenv("USER", "somebody-by-name")
    monkeypatch.setenv("SEARCH_TOKEN", "also-secret")
    record_start(path, ledger, DATA, command="command", stored_in="sqlite:///study.db")
    text = path.read_text()
    for word in ("tell-nobody", "somebody-by-name", "also-secret", "AWS", "environ", "PATH"):
        assert word not in text


def test_the_file_is_one_that_every_json_reader_takes(path, ledger):
    with pytest.raises(ValueError, match="not JSON compliant"):
        record_start(
            path,
            ledger,
            {**DATA, "mean": float("nan")},
            command="command",
            stored_in="sqlite:///study.db",
        )
    assert not path.exists()


def test_outside_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(provenance, "_SOURCE", tmp_path)
    assert code_version() == {"commit": None, "dirty": None}


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() == {"commit": None, "dirty": None}


def test_a_changed_file_makes_the_code_dirty(tmp_path, monkeypatch):
    def git(*arguments):
        assert provenance._git("-c", "user.name=t", "-c", "user.email=t@t", *arguments) is not None

    monkeypatch.setattr(provenance, "_SOURCE", tmp_path)
    (tmp_path / "a.py").write_text("1")
    git("init", "--quiet")
    git("add", "a.py")
    git("commit", "--quiet", "--message", "first")
    clean = code_version()
    assert re.fullmatch("[0-9a-f]{40}", clean["commit"])
    assert clean["dirty"] is False
    (tmp_path / "untracked.py").write_text("2")
    assert code_version() == clean
    (tmp_path / "a.py").write_text("3")
    assert code_version() == {**clean, "dirty": True}


def test_a_machine_without_proc_is_described_all_the_same(monkeypatch):
    monkeypatch.setattr(provenance, "Path", lambda _: provenance._SOURCE / "nowhere")
    assert set(hardware()) == {"system", "processor", "cpus", "memory_gb"}
