"""Stock Ray Tune with OptunaSearch and ASHAScheduler, quiet, on a study of its own in SQLite."""

import dataclasses
import logging
import sys
from pathlib import Path
from typing import Any

import optuna
import ray
import ray.tune
from arm import BASELINE, NUM_STARTUP, REDUCTION_FACTOR, SEED, SPACE, Arm, parse
from made_up import note_peak, result
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch


def train_once(config: dict[str, Any], *, epochs: int, peaks: Path) -> None:
    """Report made-up epochs at once."""
    note_peak(peaks)
    number = int(Path(ray.tune.get_context().get_trial_dir()).name) - 1
    for epoch in range(1, epochs + 1):
        ray.tune.report(dataclasses.asdict(result(number, epoch)))


def make_tuner(arm: Arm, asked: Any) -> ray.tune.Tuner:
    """Return a search with the settings of ours."""
    space = {
        name: (ray.tune.loguniform if log else ray.tune.uniform)(low, high)
        for name, (low, high, log) in SPACE.items()
    }
    trainable = ray.tune.with_parameters(train_once, epochs=asked.epochs, peaks=arm.peaks)
    return ray.tune.Tuner(
        ray.tune.with_resources(trainable, {"cpu": 1, "gpu": 0}),
        param_space=space,
        tune_config=ray.tune.TuneConfig(
            metric="val_accuracy",
            mode="max",
            num_samples=asked.num_trials,
            max_concurrent_trials=asked.concurrent,
            reuse_actors=True,
            search_alg=OptunaSearch(
                points_to_evaluate=[BASELINE],
                sampler=optuna.samplers.TPESampler(seed=SEED, n_startup_trials=NUM_STARTUP),
                study_name="stock",
                storage=optuna.storages.RDBStorage(f"sqlite:///{asked.folder / 'study.db'}"),
            ),
            scheduler=ASHAScheduler(
                time_attr="training_iteration",
                max_t=asked.epochs,
                grace_period=1,
                reduction_factor=REDUCTION_FACTOR,
            ),
            # The number of a trial, which its worker is not told otherwise.
            trial_dirname_creator=lambda trial: trial.experiment_tag.split("_")[0],
        ),
        run_config=ray.tune.RunConfig(
            name="stock",
            storage_path=str(asked.folder),
            verbose=0,
            failure_config=ray.tune.FailureConfig(max_failures=2),
        ),
    )


def main() -> int:
    """Search; return how many trials ended in an error."""
    asked = parse()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    arm = Arm(ASHAScheduler, asked)
    time = arm.stopwatch.time
    time(OptunaSearch, "suggest on_trial_result on_trial_complete", "decisions")
    time(ASHAScheduler, "on_trial_result", "decisions")
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    results = make_tuner(arm, asked).fit()
    results.get_best_result()
    ray.shutdown()
    arm.write(asked.folder / "measured.json")
    return min(results.num_errors, 1)


if __name__ == "__main__":
    sys.exit(main())
