"""A look at the test set in a line."""

from pathlib import Path

from seresnet.evaluation import Look


def describe_look(model: Path, found: Look) -> str:
    """Return what a retrained model does on the test set.

    Args:
        model: in the folder of its retraining.
        found: what the look showed.
    """
    measured = found.entry["weights"]["averaged"]
    share, error = measured["accuracy"], measured["standard_error"]
    return f"test set, {model.parent.name}: {share:.2%} right (standard error {error:.2%})"
