"""The README under test: its commands parse, its links lead somewhere, its study file loads."""

import re
import shlex
from pathlib import Path

import pytest

from search import ablate, confirm, replay, retrain, simulate, submit, tune
from search.study.space import load_study
from seresnet import __main__ as seresnet_command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.S)


def commands():
    """Every `python -m ...` in a console block, without its comment."""
    lines = "\n".join(body for kind, body in BLOCKS if kind == "console").splitlines()
    parts = [part.strip() for line in lines for part in line.split("#")[0].split("&&")]
    return [part for part in parts if part.startswith("python -m ")]


@pytest.mark.parametrize("command", commands())
def test_command_is_one_that_the_parser_knows(command, tmp_path, monkeypatch, capsys, timed):
    monkeypatch.chdir(ROOT)
    module, *arguments = shlex.split(command)[2:]
    if module == "search.tune":
        assert tune.main([*arguments, "--dry-run", "--results", str(tmp_path)]) == 0
        assert "# search: at most" in capsys.readouterr().out
    else:
        parsers = {
            "search.retrain": retrain._parser,
            "search.confirm": confirm._parser,
            "search.ablate": ablate._parser,
            "search.submit": submit._parser,
            "search.replay": replay._parser,
            "search.simulate": simulate._parser,
            "seresnet": seresnet_command._parser,
        }
        parsers[module]().parse_args(arguments)


def test_the_two_commands_of_the_start_are_there():
    assert "pip install -e . && python -m search.tune --space search_spaces/demo.yaml" in TEXT
    assert 'pip install -e ".[dev]" && pytest' in TEXT


def test_study_file_in_the_readme_is_the_real_one(tmp_path):
    (shown,) = [body for kind, body in BLOCKS if kind == "yaml"]
    path = tmp_path / "shown.yaml"
    path.write_text(shown)
    assert load_study(path) == load_study(ROOT / "search_spaces" / "reg.yaml")


@pytest.mark.parametrize(
    "path",
    [
        "README.md", "results/README.md", "docs/README.md", "docs/reliability.md",
        "docs/how-to/budgets.md", "docs/how-to/clusters.md", "docs/how-to/confirm.md",
        "docs/explanation/confirmation.md", "docs/how-to/gpus.md", "docs/how-to/plan.md",
        "docs/how-to/report.md", "docs/how-to/simulate.md",
        "docs/how-to/models.md", "docs/how-to/another-trainable.md",
        "docs/explanation/architecture.md", "docs/explanation/early-stopping.md",
        "cluster/README.md", "benchmarks/README.md", "benchmarks/search_quality.md",
        "docs/EXPERIMENTS.md", "docs/adr/README.md",
    ],
)  # fmt: skip
def test_links_within_the_project_lead_somewhere(path):
    file = ROOT / path
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text())
    inside = [link for link in links if not link.startswith("http")]
    missing = [link for link in inside if not (file.parent / link).exists()]
    assert missing == []


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
