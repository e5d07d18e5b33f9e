"""The competition's submission file, written only when every check holds."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from seresnet.errors import DataError
from seresnet.failpoints import reach
from seresnet.files import write_text
from seresnet.model import NUM_CLASSES

MAX_PARAMETERS = 5_000_000


def write_submission(
    logits: Tensor,
    ids: Tensor,
    path: Path,
    *,
    num_parameters: int,
    run: str,
    provenance: Mapping[str, object],
    may_exceed: bool = False,
) -> dict[str, object]:
    """Write `ID,Labels` rows, ids ascending, and a JSON file beside it that says what made them.

    Args:
        logits: (n, 10), finite.
        ids: (n,), integers, unique, as the test file gives them.
        path: of the CSV file; the sidecar has the same stem and `.json`.
        num_parameters: trainable parameters of what made the logits, <= 5,000,000.
        run: identity of the run; a submission of another run is never overwritten.
        provenance: what made the logits; plain JSON values.
        may_exceed: write what has more parameters too, marked as not eligible.

    Returns:
        The sidecar's content.

    Raises:
        DataError: a check failed; nothing was written.
    """
    _check(logits, ids, 0 if may_exceed else num_parameters)
    refuse_foreign(path, run)
    order = torch.argsort(ids.cpu())
    labels = logits.argmax(dim=1).cpu()[order].tolist()
    rows = [f"{k},{label}\n" for k, label in zip(ids.cpu()[order].tolist(), labels, strict=True)]
    text = "ID,Labels\n" + "".join(rows)
    sidecar = {
        "run": run,
        "rows": len(rows),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "class_histogram": [labels.count(k) for k in range(NUM_CLASSES)],
        "num_parameters": num_parameters,
        "is_eligible": num_parameters <= MAX_PARAMETERS,
        **provenance,
    }
    # The sidecar first: a submission without one is taken for another run's.
    write_text(_sidecar_path(path), json.dumps(sidecar, indent=2, allow_nan=False) + "\n")
    reach("in-submission", path.name)
    write_text(path, text)
    return sidecar


def _sidecar_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _check(logits: Tensor, ids: Tensor, num_parameters: int) -> None:
    """Raise DataError at the first rule of the competition, or of sanity, that does not hold."""
    if len(logits) != len(ids) or logits.shape[1:] != (NUM_CLASSES,):
        raise DataError(
            f"submission: {len(ids)} ids, but logits of shape {tuple(logits.shape)}",
            "label the images of the file that the ids come from",
        )
    if len(ids.unique()) != len(ids):
        raise DataError(
            f"submission: {len(ids) - len(ids.unique())} ids occur more than once",
            "use the competition's own test file, whose ids are unique",
        )
    bad = int((~torch.isfinite(logits)).any(dim=1).sum())
    if bad:
        raise DataError(
            f"submission: {bad} of {len(logits)} rows of logits are not finite",
            "the model diverged: train it again with a lower lr",
        )
    if num_parameters > MAX_PARAMETERS:
        raise DataError(
            f"submission: {num_parameters} parameters, the competition allows {MAX_PARAMETERS}",
            "use narrower channels",
        )


def refuse_foreign(path: Path, run: str) -> None:
    """Refuse to overwrite a submission, or a file where its sidecar would lie, of another run.

    Args:
        path: of the submission.
        run: identity of the run that would write it.

    Raises:
        DataError: either file is there, and the run did not write it.
    """
    if not path.exists() and not _sidecar_path(path).exists():
        return
    try:
        owner = json.loads(_sidecar_path(path).read_text()).get("run")
    except (OSError, ValueError, AttributeError, RecursionError):
        owner = None
    if owner != run:
        raise DataError(
            f"{path}: another run's submission, or one without its {_sidecar_path(path).name}",
            "move it away, then run the same command",
        )
