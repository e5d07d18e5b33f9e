"""The README under test: its searches can be planned, its study file loads, its analyses run.

Its commands and links are checked with those of all pages, in tests/unit/docs.
"""

import re
import shlex
from pathlib import Path

import pytest

from search import tune
from search.study.space import load_study

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.S)


def commands():
    """Every `python -m search.tune ...` in a console block, without its comment."""
    lines = "\n".join(body for kind, body in BLOCKS if kind == "console").splitlines()
    parts = [part.strip() for line in lines for part in line.split("#")[0].split("&&")]
    return [part for part in parts if part.startswith("python -m search.tune ")]


@pytest.mark.parametrize("command", commands())
def test_search_of_the_readme_can_be_planned(command, tmp_path, monkeypatch, capsys, timed):
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command)[3:]
    assert tune.main([*arguments, "--dry-run", "--results", str(tmp_path)]) == 0
    assert "# search: at most" in capsys.readouterr().out


def test_the_two_commands_of_the_start_are_there():
    assert "pip install -e . && python -m search.tune --space search_spaces/demo.yaml" in TEXT
    assert 'pip install -e ".[dev]" && pytest' in TEXT


def test_study_file_in_the_readme_is_the_real_one(tmp_path):
    (shown,) = [body for kind, body in BLOCKS if kind == "yaml"]
    path = tmp_path / "shown.yaml"
    path.write_text(shown)
    assert load_study(path) == load_study(ROOT / "search_spaces" / "reg.yaml")


def test_files_named_in_the_file_tree_exist():
    (tree,) = [body for kind, body in BLOCKS if "seresnet/ " in body]
    for folder in ("seresnet", "search"):
        part = tree.split(f"{folder}/ ", 1)[1].split("\n  ", 1)[1]
        lines = re.split(r"\n\S", part)[0]
        names = re.findall(r"\b(\w+\.py)\b", lines)
        assert names
        assert [name for name in names if not (ROOT / folder / name).exists()] == []


def test_the_model_of_ones_own_in_the_readme_is_the_example():
    shown = [body for kind, body in BLOCKS if kind == "python" and "search.api" in body]
    assert shown == [(ROOT / "docs" / "examples" / "digits.py").read_text()]


def test_the_analyses_print_what_the_readme_shows(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    kinds = [kind for kind, _ in BLOCKS]
    position = kinds.index("python")
    exec(BLOCKS[position][1], {})
    assert capsys.readouterr().out.rstrip() == BLOCKS[position + 1][1].rstrip()
