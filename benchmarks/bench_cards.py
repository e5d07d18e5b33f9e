"""How often a card of the verdict page warns where there is nothing, and how often where there is.

    python benchmarks/bench_cards.py                 # 60 made-up studies a row, half an hour

A made-up study has five hyperparameters, each uniform in [0, 1], and trials of one epoch: noise of
standard deviation 1, plus `effect` times the first hyperparameter, so that its best lies at its
upper edge. All numbers are drawn: nothing is trained. What is asked is whether any hyperparameter
without an effect is told from noise, whether the one with an effect is, and the same of edges.
"""

from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from optuna.storages import InMemoryStorage

from search.study.edges import edges_of
from search.study.importance import importances
from search.study.ledger import Ledger
from search.study.records import Host, TrialRecord, incumbent
from search.study.sections import Budget, Domain, PrunerConfig, SamplerConfig
from search.study.space import StudyConfig
from seresnet.epoch import EpochResult

NAMES = ("first", "b", "c", "d", "e")
SEED = 20261128
_NOTHING = {"train_loss": None, "val_loss": None, "val_accuracy_raw": None, "lr": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A kind of study."""

    num_trials: int
    sampler: str
    effect: float
    """Of the first hyperparameter from one end of its range to the other; 1 is the noise."""


def study_of(row: Row, seed: int) -> tuple[StudyConfig, list[TrialRecord]]:
    """Return a study whose trials have all come to their end, one after the other."""
    config = StudyConfig(
        trainable="made-up",
        study=Budget(num_trials=row.num_trials, min_epochs=1, max_epochs=1, seed=seed),
        space={name: Domain(low=0.0, high=1.0) for name in NAMES},
        baseline=dict.fromkeys(NAMES, 0.5),
        sampler=SamplerConfig(name=row.sampler),  # type: ignore[arg-type]
        pruner=PrunerConfig(name="none"),
    )
    rng = np.random.default_rng([SEED, seed])
    ledger = Ledger.open(InMemoryStorage(), config)
    host = Host(node="", device="", dtype="", threads=0)
    while (suggestion := ledger.suggest()) is not None:
        value = row.effect * suggestion.params["first"] + rng.normal()
        result = EpochResult(
            epoch=1, val_accuracy=value, seconds=0.0, images_per_second=None, **_NOTHING
        )
        ledger.report(suggestion.number, result, host, attempt=suggestion.attempt)
    return config, ledger.trials


def judge(row: Row, seed: int) -> tuple[bool, bool, bool, bool]:
    """Return whether any other, and whether the first is told from noise; the same of edges."""
    config, trials = study_of(row, seed)
    above = {each.name for each in importances(config, trials) if each.is_above_noise}
    best = incumbent(trials)
    assert best is not None
    at_edge = {each.name for each in edges_of(config, trials, best) if each.is_crowded}
    told = (above, at_edge)
    (others, first), (others_at_edge, first_at_edge) = (
        (bool(names - {"first"}), "first" in names) for names in told
    )
    return others, first, others_at_edge, first_at_edge


def main() -> None:
    """Print a table."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=60, help="of each kind")
    num_studies = parser.parse_args().studies
    print("| sampler | trials | effect | others | the first | edge of others | of the first |")
    print("|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor() as pool:
        for sampler in ("random", "tpe"):
            for num_trials in (14, 64):
                for effect in (0.0, 2.0, 4.0):
                    row = Row(num_trials=num_trials, sampler=sampler, effect=effect)
                    told = list(pool.map(partial(judge, row), range(num_studies), chunksize=5))
                    shares = " | ".join(f"{share:.0%}" for share in np.mean(told, axis=0))
                    print(f"| {sampler} | {num_trials} | {effect:g} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
