"""docs/analysis.ipynb under test: it runs, and its answers are those of the tables."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from plotly.basedatatypes import BaseFigure

from search.results import incumbent, read_epochs, read_trials, write_runs
from seresnet.files import write_csv

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "analysis.ipynb"
PUBLISHED = ROOT / "results" / "cpu-2core"


@pytest.fixture
def notebook():
    return nbformat.read(PATH, as_version=4)


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    assert [cell.id for cell in cells(notebook) if cell.outputs or cell.execution_count] == []


def test_it_runs_in_a_kernel_and_answers_from_the_published_tables(notebook):
    before = {path: path.stat().st_mtime_ns for path in PUBLISHED.iterdir()}
    client = NotebookClient(
        notebook,
        timeout=300,
        startup_timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": PATH.parent}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    outputs = {cell.id: cell.outputs for cell in cells(notebook)}
    trials, epochs = read_trials(PUBLISHED), read_epochs(PUBLISHED)
    best = incumbent(trials)
    text = outputs["baseline"][0].text
    gain = best["val_accuracy"] - trials.loc[trials["name"] == "baseline", "val_accuracy"].item()
    assert f"best in the search: {best['trial']}, {100 * gain:+.1f} points" in text
    assert f"{len(epochs)} of {len(trials) * epochs['epoch'].max()} " in outputs["stopping"][0].text
    figure = outputs["curves"][0].data["application/vnd.plotly.v1+json"]
    assert {curve["name"].split(",")[0] for curve in figure["data"]} == set(epochs["trial"])
    assert {path: path.stat().st_mtime_ns for path in PUBLISHED.iterdir()} == before


@pytest.fixture
def answers(notebook, tmp_path, monkeypatch, capsys):
    """What the cells print of the published study once it has been confirmed and ablated."""
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("trials.csv", "epochs.csv", "study.yaml"):
        shutil.copy(PUBLISHED / name, folder)
    trials = read_trials(folder)
    winner = trials.loc[trials["name"] != "baseline", "trial"].iloc[0]
    values = {("t0000", 11): 0.5, ("t0000", 12): 0.6, (winner, 11): 0.6, (winner, 12): 0.8}
    runs = [
        {"trial": trial, "seed": seed, "epoch": 24, "val_accuracy": value}
        for (trial, seed), value in values.items()
    ]
    write_runs(folder / "confirm.csv", runs)
    effect = {
        "hyperparameter": "dropout", "value": 0, "baseline": 0.2, "mean": 0.625, "loss": 0.075,
        "at_least": 0.0125, "at_most": 0.1, "is_needed": True, "trial": winner, "epochs": 24,
        "seeds": 2,
    }  # fmt: skip
    write_csv(folder / "ablate.csv", [*list(effect)[:8], "error", *list(effect)[8:]], [effect])
    monkeypatch.setattr(BaseFigure, "show", lambda *_: None)
    answers, names = {"winner": winner}, {}
    for cell in cells(notebook):
        source = cell.source.replace('"../results/cpu-2core"', json.dumps(str(folder)))
        exec(source, names)
        answers[cell.id] = capsys.readouterr().out
    return answers


def test_it_says_what_a_confirmation_and_an_ablation_say(answers):
    first, second, seeds = answers["confirmed"].splitlines()[-3:]
    assert first.split()[:4] == [answers["winner"], "0.70", "0.1414", "0.15"]
    assert second.split()[:4] == ["t0000", "0.55", "0.0707", "0.00"]
    assert seeds == "2 seeds, 24 epochs each"
    needed = answers["needed"].splitlines()[-1].split()
    assert needed == ["dropout", "0.0", "0.2", "0.625", "0.075", "0.0125", "True"]
