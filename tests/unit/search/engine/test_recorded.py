"""Curves that a study has recorded, as another search would meet them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from search.engine.recorded import Recorded
from search.engine.virtual import simulate
from search.results import read_epochs, read_trials
from search.study.policies import with_budget
from search.study.space import load_study
from seresnet.errors import DataError

FOLDER = Path(__file__).parents[4] / "results" / "cpu-plan"
CONFIG = load_study(FOLDER / "study.yaml")
TRIALS, EPOCHS = read_trials(FOLDER), read_epochs(FOLDER)
COMPLETE = list(TRIALS[TRIALS["state"] == "COMPLETE"]["trial"])


@pytest.fixture(scope="module")
def recorded():
    return Recorded.read(FOLDER / "epochs.csv", CONFIG)


@pytest.fixture
def copied(tmp_path):
    """A folder with the tables, to be spoilt."""
    for name in ("trials.csv", "epochs.csv"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    return tmp_path


def params_of(trial):
    row = TRIALS[TRIALS["trial"] == trial].iloc[0]
    return {name: float(row[name]) for name in CONFIG.space}


@pytest.mark.parametrize("trial", COMPLETE)
def test_a_recorded_setting_learns_as_it_did(recorded, trial):
    curve = EPOCHS[EPOCHS["trial"] == trial]["val_accuracy"].tolist()
    observed = recorded.observed(params_of(trial), np.random.default_rng(0))
    assert observed == curve
    assert recorded.final(params_of(trial)) == curve[-1]


def test_the_best_is_the_studys_own(recorded):
    assert recorded.best == TRIALS[TRIALS["state"] == "COMPLETE"]["val_accuracy"].max()


def test_another_setting_learns_as_the_nearest_with_other_noise(recorded):
    near = dict(params_of("t0012"), mixup_alpha=params_of("t0012")["mixup_alpha"] + 0.001)
    first, second = (recorded.observed(near, np.random.default_rng(s)) for s in (0, 1))
    assert first != second
    assert recorded.final(near) == recorded.final(params_of("t0012"))
    curve = recorded.observed(params_of("t0012"), np.random.default_rng(0))
    assert np.abs(np.subtract(first, curve)).max() < 0.05


def test_a_study_runs_on_its_own_recording(recorded):
    outcome = simulate(CONFIG, recorded, workers=2, seed=0)
    assert len(outcome.trials) == 14
    assert 0 <= outcome.regret < 0.1
    # The baseline's setting was recorded, and nothing is added to it.
    assert outcome.trials[0].value == TRIALS.loc[0, "val_accuracy"]


def test_a_study_of_another_length_is_refused_with_the_file_that_fits():
    longer = with_budget(CONFIG, max_epochs=60)
    with pytest.raises(DataError, match=r"of 24 epochs, study\.max_epochs is 60") as caught:
        Recorded.read(FOLDER / "epochs.csv", longer)
    assert "study.yaml" in caught.value.hint


def test_a_study_over_another_space_is_refused_with_the_column():
    space = {**CONFIG.space, "brightness": CONFIG.space["dropout"]}
    other = dataclasses.replace(
        CONFIG,
        space=space,
        baseline={**CONFIG.baseline, "brightness": 0.1},
        recipes={},
    )
    with pytest.raises(DataError, match=r"trials\.csv: brightness: no such column"):
        Recorded.read(FOLDER / "epochs.csv", other)


def test_tables_without_a_complete_trial_are_refused(copied):
    table = copied / "trials.csv"
    table.write_text(table.read_text().replace("COMPLETE", "FAIL"))
    with pytest.raises(DataError, match="no trial is complete"):
        Recorded.read(copied / "epochs.csv", CONFIG)


def test_a_complete_trial_that_lacks_an_epoch_is_refused(copied):
    table = copied / "epochs.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith("t0012,7,")))
    with pytest.raises(DataError, match="a complete trial lacks an epoch"):
        Recorded.read(copied / "epochs.csv", CONFIG)


def test_a_complete_trial_without_any_epoch_is_refused(copied):
    table = copied / "epochs.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith("t0012,")))
    with pytest.raises(DataError, match="a complete trial lacks an epoch"):
        Recorded.read(copied / "epochs.csv", CONFIG)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        pytest.param("epochs.csv", "val_accuracy,", "accuracy,", "val_accuracy: no", id="column"),
        pytest.param("trials.csv", "state,", "fate,", "state: no such column", id="state"),
        pytest.param("epochs.csv", "t0012,7,", "t0012,6,", "an epoch of a trial twice", id="twice"),
        pytest.param("epochs.csv", "t0012,7,", "t0012,x,", "cannot be read", id="text"),
        pytest.param("trials.csv", "t0012,", "t0012,,,,", "cannot be read", id="cells"),
    ],
)
def test_tables_that_are_none_are_refused_with_their_name(copied, name, old, new, message):
    table = copied / name
    assert old in table.read_text()
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message) as caught:
        Recorded.read(copied / "epochs.csv", CONFIG)
    assert caught.value.message.startswith(str(copied))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["trials.csv", "epochs.csv"])
def test_a_missing_table_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(DataError, match=name):
        Recorded.read(copied / "epochs.csv", CONFIG)
