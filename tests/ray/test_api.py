"""Another trainable behind the driver: the example of the README, and one whose worker dies."""

import os
import runpy
from pathlib import Path

import pytest

from search.api import Budget, Domain, search
from search.results import read_epochs, read_trials

pytestmark = [pytest.mark.ray]
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "digits.py"


def test_the_digits_example_finds_a_better_setting_than_its_baseline(tmp_path, monkeypatch, capsys):
    assert len(EXAMPLE.read_text().splitlines()) <= 20
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(EXAMPLE), run_name="__main__")["found"]
    assert found.best.value > found.baseline + 0.05
    assert len(found.trials) == 16
    assert f"{found.baseline:.4f} -> {found.best.value:.4f} with" in capsys.readouterr().out
    trials = read_trials(tmp_path / "results" / "digits")
    assert (trials["state"] == "PRUNED").any()


@pytest.mark.faults
def test_a_trial_whose_worker_dies_begins_again_and_stores_no_epoch_twice(tmp_path):
    def train(params, seed, epochs):
        for epoch in range(1, epochs + 1):
            if epoch == 3 and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os._exit(1)
            yield {"val_accuracy": params["x"] + epoch}

    budget = Budget(num_trials=1, min_epochs=1, max_epochs=4)
    space = {"x": Domain(low=0.0, high=1.0)}
    found = search(train, space=space, baseline={"x": 0.5}, budget=budget, folder=tmp_path / "s")
    assert (found.best.value, found.best.attempts) == (4.5, 2)
    assert list(read_epochs(tmp_path / "s")["epoch"]) == [1, 2, 3, 4]
