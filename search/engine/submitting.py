"""From the retrained models to a submission: label, compare the seeds, check, write."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from search.engine.grants import Grant
from search.engine.retraining import label
from search.study.errors import DamagedStudyError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.winner import confirmation_of, winner
from seresnet.data import Unlabelled
from seresnet.errors import DamagedError, DataError
from seresnet.expectation import expected_score
from seresnet.files import sha256_of
from seresnet.plausibility import agreement, doubts
from seresnet.run import read_metrics
from seresnet.submission import refuse_foreign, write_submission

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be labelled, and where the labels go."""

    test: Unlabelled
    path: Path
    is_ensemble: bool = False
    """Whether the models of all seeds label together, in place of the first's alone."""


def submit(folder: StudyFolder, ledger: Ledger, order: Order, granted: Grant) -> dict[str, Any]:
    """Write a submission from the model of the first seed: a rule fixed beforehand.

    The models of the other seeds label too, to be compared with; what looks wrong is warned of. A
    submission of other test images, or of another kind, is not overwritten but by the stage of a
    search that made it.

    Returns:
        The sidecar's content.

    Raises:
        DataError: a check of the submission failed.
        DamagedStudyError: a model is not the one that was trained.
    """
    best, seeds = winner(folder, ledger), ledger.config.retrain.seeds
    metrics = {seed: _metrics(folder, seed) for seed in seeds}
    logits = _logits(folder, ledger, order.test, granted)
    first, *others = seeds
    members = list(seeds) if order.is_ensemble else [first]
    given = logits[first]
    if order.is_ensemble:
        given = torch.stack([logits[seed].softmax(dim=1) for seed in seeds]).mean(dim=0)
    agreements = {str(seed): agreement(logits[first], logits[seed]) for seed in others}
    histogram = given.argmax(dim=1).bincount(minlength=given.shape[1]).tolist()
    found = doubts(histogram, list(agreements.values()), _accuracy(folder, ledger, best))
    sidecar = write_submission(
        given,
        order.test.ids,
        order.path,
        num_parameters=sum(metrics[seed]["num_parameters"] for seed in members),
        run=ledger.id,
        may_exceed=order.is_ensemble,
        provenance={
            "trial": best.id,
            "params": best.params,
            "val_accuracy_in_search": best.value,
            "retrain_seed": first,
            "retrain_epochs": ledger.config.retrain.epochs,
            "retrain_train": ledger.config.retrain.train,
            "mirror": ledger.config.retrain.mirror,
            "model_sha256": metrics[first]["model_sha256"],
            "members": {str(seed): metrics[seed]["model_sha256"] for seed in members},
            "test_sha256": images_hash(order.test),
            "num_trials": len(ledger.trials),
            "agreement": agreements,
            "doubts": found,
            "expectation": _expectation(folder, ledger, first, metrics[first]),
        },
    )
    for doubt in found:
        _log.warning("%s: %s: look at the images and their normalisation", order.path.name, doubt)
    return sidecar


def is_submitted(folder: StudyFolder, ledger: Ledger, order: Order) -> bool:
    """Return whether the submission is there, whole, and of the present winner and test images."""
    try:
        sidecar = json.loads(order.path.with_suffix(".json").read_text())
        metrics = _metrics(folder, ledger.config.retrain.seeds[0])
        return bool(
            sidecar["run"] == ledger.id
            and sidecar["trial"] == winner(folder, ledger).id
            and sidecar["sha256"] == sha256_of(order.path)
            and sidecar["model_sha256"] == metrics["model_sha256"]
            and sidecar["test_sha256"] == images_hash(order.test)
            and _is_ensemble(sidecar) == order.is_ensemble
            and sidecar.get("mirror", False) == ledger.config.retrain.mirror
        )
    except (DamagedStudyError, OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def refuse_other(ledger: Ledger, order: Order) -> None:
    """Refuse to overwrite a submission of another study, other test images or another kind.

    Raises:
        DataError: it is there.
    """
    refuse_foreign(order.path, ledger.id)
    try:
        sidecar = json.loads(order.path.with_suffix(".json").read_text())
        of_other_images = sidecar["test_sha256"] != images_hash(order.test)
        of_other_kind = _is_ensemble(sidecar) != order.is_ensemble
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return
    if order.path.exists() and (of_other_images or of_other_kind):
        what = "another test file" if of_other_images else "another number of models"
        raise DataError(
            f"{order.path}: is the submission of {what}", "name another file with --out"
        )


def _logits(
    folder: StudyFolder, ledger: Ledger, test: Unlabelled, granted: Grant
) -> dict[int, torch.Tensor]:
    """Return what the model of each seed says of the images."""
    settings = ledger.config.retrain
    return {
        seed: label(
            (folder.retrain(seed) / "model.pt").resolve(),
            test.images,
            granted,
            mirror=settings.mirror,
        )
        for seed in settings.seeds
    }


def images_hash(test: Unlabelled) -> str:
    """Return the SHA-256 of test images and their ids."""
    digest = hashlib.sha256(test.images.numpy().tobytes())
    digest.update(test.ids.numpy().tobytes())
    return digest.hexdigest()


def _is_ensemble(sidecar: dict[str, Any]) -> bool:
    return len(sidecar.get("members", ())) > 1  # older sidecars are of one model


def _metrics(folder: StudyFolder, seed: int) -> dict[str, Any]:
    """Return the metrics of one seed's retraining.

    Raises:
        DamagedStudyError: that training is missing, or damaged.
    """
    try:
        return read_metrics(folder.retrain(seed))
    except DamagedError as error:
        raise DamagedStudyError(error.message, error.hint) from error


def _accuracy(folder: StudyFolder, ledger: Ledger, best: TrialRecord) -> float:
    """Return the validation accuracy of the winner, confirmed where that was done."""
    confirmation = confirmation_of(folder, ledger)
    rows = confirmation.entrants if confirmation else []
    means = [row.mean for row in rows if row.trial == best.id and row.mean is not None]
    return means[0] if means else best.value or 0.0


def _expectation(
    folder: StudyFolder, ledger: Ledger, seed: int, metrics: dict[str, Any]
) -> dict[str, object] | None:
    """Return what the model's accuracy on CIFAR-10's test set lets expect, where that is known."""
    accuracy = _test_accuracy(folder.retrain(seed), metrics)
    if accuracy is None or ledger.config.data.source != "cifar10":
        return None
    found = expected_score(accuracy)
    if found is None:
        return None
    return {"test_accuracy": accuracy, **asdict(found), "is_extrapolated": True}


def _test_accuracy(folder: Path, metrics: dict[str, Any]) -> float | None:
    """Return the model's accuracy on the test set, from its run or the first look after it."""
    if "test_accuracy" in metrics:
        return float(metrics["test_accuracy"])
    try:
        looks = json.loads((folder / "evaluation.json").read_bytes())["evaluations"]
        first = next(each for each in looks if each["model_sha256"] == metrics["model_sha256"])
        return float(first["weights"]["averaged"]["accuracy"])
    except (OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None
