import dataclasses
from pathlib import Path

import pytest
import torch

from search.engine import retraining
from search.engine.retraining import Job
from search.study.errors import DamagedStudyError, MachineError, UnfinishedError
from seresnet.errors import DamagedError
from seresnet.train import DivergedError


@pytest.mark.parametrize(
    ("reason", "kind", "text", "remedy"),
    [
        pytest.param(
            OSError(28, "No space left on device", "model.pt"), MachineError,
            r"model\.pt: No space left on device \(node ", "free space", id="disk",
        ),
        pytest.param(
            DamagedError("epochs.csv: is damaged", "delete seed0"), DamagedStudyError,
            "epochs.csv: is damaged", "delete seed0", id="damaged",
        ),
        pytest.param(
            DivergedError(3, "loss not finite at step 2 of 9"), UnfinishedError,
            "seed0: training stopped: diverged in epoch 3", "choose other retrain.seeds",
            id="diverged",
        ),
        pytest.param(
            ValueError("odd"), UnfinishedError, "training stopped: odd", "same command", id="other"
        ),
    ],
)  # fmt: skip
def test_what_ends_a_training_is_told_with_its_remedy(tiny_config, reason, kind, text, remedy):
    job = Job(tiny_config, Path("results/reg/retrain/seed0"), "owner", {})
    error = retraining._unfinished(job, reason)
    with pytest.raises(kind, match=text):
        raise error
    assert remedy in error.hint


def test_a_training_that_goes_on_yields_its_earlier_epochs_to_ray(
    tiny_config, tiny_split, tmp_path, monkeypatch
):
    monkeypatch.setattr(retraining, "granted_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(retraining, "set_granted_threads", lambda: None)
    arrays = tuple(each[:20] for each in retraining.as_arrays(tiny_split))
    job = Job(dataclasses.replace(tiny_config, epochs=3), tmp_path / "seed0", "owner", {})
    for expected in ([1, 2], [1, 2, 3], [1, 2, 3]):
        generator = retraining._run_job(job, arrays, arrays, None)
        epochs = [next(generator).epoch]
        while len(epochs) < len(expected):
            epochs.append(generator.send(0.01).epoch)  # as Ray does
        assert epochs == expected
        generator.close()
