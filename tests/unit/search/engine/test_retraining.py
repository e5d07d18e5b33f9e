from pathlib import Path

import pytest

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
