"""What is told of a trial that failed."""

from pathlib import Path

import pytest
import torch

from search.engine.trial import classify
from seresnet.train import DivergedError


def raised(error):
    """Return the error with the traceback that a raised one has."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        pytest.param(
            DivergedError(3, "loss not finite at step 2 of 9"),
            "diverged",
            "diverged in epoch 3: loss not finite at step 2 of 9",
            id="diverged",
        ),
        pytest.param(
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee the manual"),
            "cuda-oom",
            "CUDA out of memory. Tried to allocate 2 GiB. "
            "(fewer trials at once, or a smaller batch_size)",
            id="out-of-memory",
        ),
        pytest.param(
            ValueError("two\n  lines"),
            "exception",
            "ValueError: two lines (test_trial_errors.py:",
            id="other",
        ),
        pytest.param(
            ValueError("results/reg/checkpoints/t0001: no room"),
            "exception",
            "ValueError: checkpoints/t0001: no room (test_trial_errors.py:",
            id="of-a-file-of-the-study",
        ),
        pytest.param(
            AssertionError(),
            "exception",
            "AssertionError: no message (test_trial_errors.py:",
            id="mute",
        ),
    ],
)
def test_an_error_becomes_one_line_with_its_kind(error, kind, text):
    failure = classify(raised(error), Path("results/reg"))
    assert failure.kind == kind
    assert failure.error.startswith(text)
    assert len(failure.error.splitlines()) == 1


def test_only_what_nobody_foresaw_is_logged_with_its_traceback(caplog):
    classify(raised(DivergedError(1, "loss not finite")), Path("results/reg"))
    assert caplog.records == []
    classify(raised(ValueError("odd")), Path("results/reg"))
    assert "ValueError: odd" in caplog.text
    assert "Traceback" in caplog.text
