"""Fixtures that every test shares."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from search.study.folder import StudyFolder
from search.study.forecast import Pace, Timing
from search.study.space import StudyConfig, load_study
from search.study.storage import VARIABLE
from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.synthetic import make_synthetic

# The same examples on every run, so that a red run is about the change; HYPOTHESIS_PROFILE=explore
# draws new ones.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

TINY_CHANNELS = (8, 8, 16, 16)
TINY_STUDY = """\
study: {num_trials: 6, min_epochs: 2, max_epochs: 4, reduction_factor: 2, seed: 7}
data: {source: synthetic, num_val: 256, num_train: 256}
train: {channels: [8, 8, 16, 16], precision: fp32}
space:
  dropout: {low: 0.0, high: 0.5}
  warmup_epochs: {low: 0, high: 1}
baseline: {dropout: 0.2, warmup_epochs: 1}
recipes:
  plain: {dropout: 0.0, warmup_epochs: 0}
sampler: {name: tpe, num_startup: 3}
retrain: {epochs: 2, seeds: [0]}
pruner: {name: asha, rungs: fixed}
confirm: {top: 0}
"""


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch):
    """A command draws the page of its study in a process of its own: seconds, a hundred times."""
    monkeypatch.setattr("search.view.page.drawing.draw", lambda folder, storage: None)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch):
    """Whoever runs the tests may have studies of their own on a server."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared with other tests and with Ray's workers: one thread each."""
    torch.set_num_threads(1)


@pytest.fixture
def tiny_config() -> TrainConfig:
    return TrainConfig(epochs=1, warmup_epochs=0, channels=TINY_CHANNELS, precision="fp32")


@pytest.fixture(scope="session")
def tiny_split() -> Split:
    return make_synthetic(num=256, seed=5)


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY_STUDY)
    return path


@pytest.fixture
def study_config(study_file: Path) -> StudyConfig:
    return load_study(study_file)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Epochs that are timed without being trained, and a few simulations; what was asked for."""
    asked = []

    def time_trainings(config: TrainConfig, *sizes: int, **how: object) -> Timing:
        asked.append({"channels": config.channels, "sizes": sizes, **how})
        pace = (Pace(0.01, 0.002),)
        return Timing(
            trials=pace, retrainings=pace, start_seconds=2.0, device="cpu", dtype="float32"
        )

    monkeypatch.setattr("search.engine.timing.time_trainings", time_trainings)
    monkeypatch.setattr("search.engine.planning.NUM_SEARCHES", 3)
    return asked


@pytest.fixture
def study_dir(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "results" / "tiny")
    folder.create()
    return folder


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables without a run: to make them takes longer than all that a test does."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture
def mlflow_uri(tmp_path: Path, empty_mlflow: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_mlflow, tmp_path / 'mlruns.db')}"
