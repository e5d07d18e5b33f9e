"""The rival: the same trainings, searched with stock Ray Tune as its documentation says.

`OptunaSearch`, `ASHAScheduler`, a checkpoint with every report, `Tuner.restore` where
`Tuner.can_restore` says so. `loop.py` starts and kills it as it does ours.

    python tests/chaos/stock.py --space tests/chaos/study.yaml --folder /tmp/stock --seed 0
"""

import csv
import dataclasses
import hashlib
import json
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import optuna
import ray
import ray.tune
import torch
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from search import failpoints as environment
from search.engine.trial import as_arrays, as_split
from search.study.dataset import load_dataset
from search.study.space import StudyConfig, load_study
from seresnet import checkpoint, failpoints
from seresnet.train import TrainState, train

_NAME = "stock"


def key_of(params: dict[str, float]) -> str:
    """Return a short name of some settings: Ray names a trial anew when it forgot the old one."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:8]


def train_once(config: dict[str, Any], *, study: StudyConfig, train_arrays: Any, val_arrays: Any):
    """Train one trial, with a checkpoint in every report."""
    environment.arm()
    torch.set_num_threads(1)
    params = {name: config[name] for name in study.space}
    settings = study.trial_config(params, epochs=study.study.max_epochs, seed=config["seed"])
    state = None
    found = ray.tune.get_checkpoint()
    if found:
        with found.as_directory() as folder:
            state = checkpoint.load(Path(folder), config=settings, device=torch.device("cpu"))
    state = state or TrainState.create(settings, torch.device("cpu"))
    for result in train(state, as_split(train_arrays), as_split(val_arrays)):
        failpoints.reach("epoch-trained", f"{key_of(params)} {result.epoch}")
        with tempfile.TemporaryDirectory() as folder:
            checkpoint.save(state, Path(folder))
            ray.tune.report(
                dataclasses.asdict(result),
                checkpoint=ray.tune.Checkpoint.from_directory(folder),
            )


def make_tuner(trainable: Any, study: StudyConfig, folder: Path, *, by_default: bool):
    """Return a new search with the study's space, rungs and first trials."""
    space: dict[str, Any] = {"seed": study.study.seed}
    for name, domain in study.space.items():
        if study.is_integer(name):
            space[name] = ray.tune.randint(int(domain.low), int(domain.high) + 1)
        else:
            draw = ray.tune.loguniform if domain.log else ray.tune.uniform
            space[name] = draw(domain.low, domain.high)
    storage = None
    if not by_default:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
    budget = study.study
    first = [
        {name: int(value) if study.is_integer(name) else value for name, value in params.items()}
        for params in (study.baseline, *study.recipes.values())
    ]
    return ray.tune.Tuner(
        trainable,
        param_space=space,
        tune_config=ray.tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=budget.num_trials,
            max_concurrent_trials=1,
            search_alg=OptunaSearch(
                points_to_evaluate=first, study_name=_NAME, storage=storage, seed=budget.seed
            ),
            scheduler=ASHAScheduler(
                time_attr="training_iteration",
                max_t=budget.max_epochs,
                grace_period=budget.min_epochs,
                reduction_factor=budget.reduction_factor,
            ),
        ),
        run_config=ray.tune.RunConfig(
            name=_NAME,
            storage_path=str(folder),
            checkpoint_config=ray.tune.CheckpointConfig(num_to_keep=None if by_default else 2),
            failure_config=ray.tune.FailureConfig(max_failures=2),
        ),
    )


def write_results(results: Any, study: StudyConfig, folder: Path) -> None:
    """Write a row a trial, a row a reported epoch, and the settings of the best trial."""
    trials, epochs = [], []
    for result in results:
        metrics = result.metrics or {}
        params = {name: (result.config or {}).get(name) for name in study.space}
        key, num = key_of(params), metrics.get("training_iteration", 0)
        state = "COMPLETE" if num >= study.study.max_epochs else "PRUNED"
        value = metrics.get("val_accuracy")
        row = {"trial": key, "state": "FAIL" if result.error else state, "epochs": num}
        trials.append({**row, "val_accuracy": value, **params})
        frame = result.metrics_dataframe
        for each in [] if frame is None else frame.to_dict("records"):
            value = each["val_accuracy"]
            epochs.append({"trial": key, "epoch": int(each["epoch"]), "val_accuracy": value})
    write_table(folder / "trials.csv", trials)
    write_table(folder / "epochs.csv", epochs)
    best = results.get_best_result().config
    (folder / "best.txt").write_text(key_of({name: best[name] for name in study.space}))


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> int:
    """Search, or go on with the search; return the number of trials that ended in an error."""
    parser = ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--space", type=Path, required=True)
    add("--folder", type=Path, required=True)
    add("--seed", type=int, required=True)
    add("--num-trials", type=int, default=8)
    add("--defaults", action="store_true", help="study in Ray's files, every checkpoint kept")
    asked = parser.parse_args()
    given = {"study.seed": asked.seed, "study.num_trials": asked.num_trials}
    study = load_study(asked.space, given)
    folder: Path = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(study.data, Path())
    ray.init(address="local", include_dashboard=False)
    trainable = ray.tune.with_parameters(
        train_once,
        study=study,
        train_arrays=as_arrays(dataset.train),
        val_arrays=as_arrays(dataset.val),
    )
    path = str(folder / _NAME)
    if ray.tune.Tuner.can_restore(path):
        tuner = ray.tune.Tuner.restore(
            path, trainable=trainable, resume_unfinished=True, resume_errored=True
        )
    else:
        tuner = make_tuner(trainable, study, folder, by_default=asked.defaults)
    results = tuner.fit()
    write_results(results, study, folder)
    return min(results.num_errors, 1)


if __name__ == "__main__":
    sys.exit(main())
