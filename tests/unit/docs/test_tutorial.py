"""The tutorial's study file loads, its complaint is the loader's, its analysis runs on a study."""

import re
import shutil
from pathlib import Path

import pytest

from search.study.space import load_study
from seresnet.errors import ConfigError

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "tutorial" / "first-study.md").read_text()


def block(kind):
    (body,) = re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.M | re.S)
    return body


def test_study_file_loads(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(block("yaml"))
    config = load_study(path)
    assert list(config.space) == ["lr", "momentum"]
    assert [*config.recipes] == ["small-step"]


def test_the_misspelt_key_is_refused_in_these_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("search_spaces/mine.yaml")
    path.parent.mkdir()
    path.write_text(block("yaml").replace("  momentum: {low", "  momentun: {low"))
    with pytest.raises(ConfigError) as raised:
        load_study(path)
    assert raised.value.as_text().splitlines()[0] in TEXT


def test_analysis_runs_on_a_study_of_this_name(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "results" / "cpu-plan", tmp_path / "results" / "demo")
    monkeypatch.chdir(tmp_path)
    exec(block("python"), {})
    states, curves = capsys.readouterr().out.split("epoch  ", 1)
    assert "COMPLETE" in states
    assert len(re.findall(r"^t\d{4} ", curves, re.M)) == 14
