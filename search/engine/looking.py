"""One look at the test set with each retrained model, once nothing is left to choose."""

from collections.abc import Callable
from pathlib import Path

import ray

from search.engine.grants import Grant
from search.engine.mps import join
from search.engine.trial import Arrays, as_arrays, as_split, granted_device, set_granted_threads
from search.study.dataset import LabelledTest
from search.study.errors import DamagedStudyError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from seresnet.card import write_card
from seresnet.errors import DamagedError
from seresnet.evaluation import Look, earlier_looks, keep_look, take_look
from seresnet.run import read_metrics


def unseen_models(folder: StudyFolder, ledger: Ledger) -> list[Path]:
    """Return the retrained models with which nobody looked at the test set, by order of seeds.

    Raises:
        DataError: the record of earlier looks is damaged.
    """
    models = [folder.retrain(seed).resolve() / "model.pt" for seed in ledger.config.retrain.seeds]
    return [model for model in models if model.is_file() and not earlier_looks(model)]


def look(
    models: list[Path], test: LabelledTest, granted: Grant, observe: Callable[[Path, Look], object]
) -> None:
    """Evaluate models in workers; what each shows is kept beside it before the next one's turn.

    Args:
        models: each `model.pt` in the folder of its retraining.
        test: labelled images that no choice was made by.
        granted: what a worker gets.
        observe: is called after each.

    Raises:
        DamagedStudyError: a model is not the one that was trained.
    """
    max_calls = 1 if granted.gpus else 0  # as in `retraining`
    task = ray.remote(num_cpus=granted.cpus, num_gpus=granted.gpus, max_calls=max_calls)(_look)
    arrays = ray.put(as_arrays(test.images))
    for model in models:
        try:
            metrics = read_metrics(model.parent)
        except DamagedError as error:
            raise DamagedStudyError(error.message, error.hint) from error
        # Workers only compute: one that outlives its driver writes nothing.
        found: Look = ray.get(task.remote(model, arrays, test.class_names, granted.mps_pipe))
        keep_look(found, model.parent)
        if "train_sha256" in metrics:  # runs of earlier versions have no card
            write_card(model.parent, metrics)
        observe(model, found)


def _look(model: Path, test: Arrays, class_names: tuple[str, ...], mps_pipe: str | None) -> Look:
    join(mps_pipe)
    set_granted_threads()
    return take_look(model, as_split(test), device=granted_device(), class_names=class_names)
