"""A submission in a few lines: what labelled, whether it looks sound, what may be expected."""

from collections.abc import Mapping
from typing import Any

from seresnet.submission import MAX_PARAMETERS


def describe_submission(sidecar: Mapping[str, Any]) -> str:
    """Return what a submission's sidecar says."""
    seeds, histogram = list(sidecar["members"]), sidecar["class_histogram"]
    models = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {' '.join(seeds)} together"
    counts = f"each class {min(histogram)} to {max(histogram)} times"
    lines = [f"{sidecar['rows']} labels by {sidecar['trial']} with {models}, {counts}"]
    if agreements := sidecar["agreement"]:
        shares = ", ".join(f"{share:.1%} (seed {seed})" for seed, share in agreements.items())
        lines.append(f"agreement of the first with other seeds: {shares}")
    if not sidecar["is_eligible"]:
        count = f"{sidecar['num_parameters']:,} parameters, {MAX_PARAMETERS:,} are allowed"
        lines.append(f"not eligible for the competition: {count}")
    if expected := sidecar["expectation"]:
        low, high = f"{expected['low']:.1%}", f"{expected['high']:.1%}"
        lines.append(
            f"score to be expected: {expected['score']:.1%} ({low} to {high}), no result but an "
            f"extrapolation from {expected['test_accuracy']:.2%} on CIFAR-10's test set, along a "
            "line through six teams' scores"
        )
    return "\n".join(lines)
