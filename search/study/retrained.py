"""The retrained models and what they did on a test set, for those who only look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.study.snapshot import Snapshot
from seresnet.errors import DataError
from seresnet.evaluation import read_evaluations
from seresnet.files import sha256_of
from seresnet.mistakes import Mistakes, read_mistakes


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Of one kind of weights on the test set; fractions."""

    weights: str
    """`averaged` or `last`."""
    plain: float
    standard_error: float
    """Of `plain`."""
    mirrored: float
    """With mirror averaging."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen when the test set was looked at."""

    at: str
    """UTC, ISO 8601."""
    num_images: int
    accuracies: tuple[Accuracy, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """A retrained model and what is known of it on labelled test images."""

    seed: int
    """That it was retrained with."""
    is_winner: bool
    """Whether it is the present winner's; another one's may lie there until it is made anew."""
    looks: tuple[Seen, ...] = ()
    """At the test set with this very model, oldest first."""
    mistakes: Mistakes | None = None
    """Of this very model; None where they were not kept, or are another model's."""
    problem: str = ""
    """What is damaged, if anything."""


def retrained_models(snapshot: Snapshot) -> list[Retrained]:
    """Return the models that the winner was retrained to, in the order of the seeds."""
    found = [_retrained(snapshot, seed) for seed in snapshot.config.retrain.seeds]
    return [model for model in found if model is not None]


def _retrained(snapshot: Snapshot, seed: int) -> Retrained | None:
    folder, best = snapshot.folder.retrain(seed), snapshot.winner
    try:
        sha256 = sha256_of(folder / "model.pt")
        metrics = json.loads((folder / "metrics.json").read_bytes())
        made_of = metrics["study"], metrics["trial"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None  # not there yet, or not whole: the next `search.retrain` says which
    is_winner = best is not None and made_of == (snapshot.id, best.id)
    try:
        looks = _looks(folder, sha256)
        mistakes = read_mistakes(folder)
    except DataError as error:
        problem = f"{error.message}; {error.hint}".replace(f"{snapshot.folder.path}/", "")
        return Retrained(seed=seed, is_winner=is_winner, problem=problem)
    if mistakes is not None and mistakes.model_sha256 != sha256:
        mistakes = None
    return Retrained(seed=seed, is_winner=is_winner, looks=looks, mistakes=mistakes)


def _looks(folder: Path, sha256: str) -> tuple[Seen, ...]:
    """Return the looks with one model."""
    entries = read_evaluations(folder)
    try:
        return tuple(_seen(entry) for entry in entries if entry["model_sha256"] == sha256)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{folder / 'evaluation.json'}: is damaged: {error!r}", "move it away"
        ) from error


def _seen(entry: Mapping[str, Any]) -> Seen:
    """Return one look as it stands in its file."""
    return Seen(
        at=str(entry["at"]),
        num_images=int(entry["num_images"]),
        accuracies=tuple(
            Accuracy(
                weights=str(weights),
                plain=float(found["accuracy"]),
                standard_error=float(found["standard_error"]),
                mirrored=float(found["accuracy_mirrored"]),
            )
            for weights, found in entry["weights"].items()
        ),
    )
