"""How often a confirmation calls a winner better, where it is and where it is not.

    python benchmarks/bench_confirmation.py                  # 20,000 made-up studies a row

A made-up study is 24 trials with one value each, of which the best three and the baseline are run
again with the same seeds, as `search.confirm` does, and judged by `search.study.verdict`. All
numbers are drawn: nothing is trained. The unit of all of them is the noise of one run.
"""

from argparse import ArgumentParser
from dataclasses import dataclass

import numpy as np

from search.study.verdict import Verdict, compare, judge

NUM_TRIALS = 24
SEED = 20261128


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is true of a study."""

    gain: float = 0.0
    """Of every fourth trial over the baseline; the others are like it."""
    seed_effect: float = 0.0
    """Standard deviation of what a seed does to all configurations alike."""
    baseline_noise: float = 1.0
    """Standard deviation of the baseline's runs; the others' is 1."""
    candidate_noise: float = 1.0
    """Standard deviation of the best candidate's runs in the confirmation."""
    tails: float = np.inf
    """Degrees of freedom of the noise, Student's t scaled to standard deviation 1; inf: normal."""
    top: int = 3
    num_seeds: int = 3


def verdicts(world: World, num_studies: int) -> list[tuple[Verdict, bool]]:
    """Return what is said of each made-up study's winner, and whether it is really better."""
    rng = np.random.default_rng(SEED)

    def noise(*shape: int) -> np.ndarray:
        if np.isinf(world.tails):
            return rng.normal(size=shape)
        return rng.standard_t(world.tails, shape) * np.sqrt(1 - 2 / world.tails)

    told = []
    truth = world.gain * (np.arange(NUM_TRIALS) % 4 == 3)  # trial 0 is the baseline
    for _ in range(num_studies):
        found = truth + noise(NUM_TRIALS)
        best = [int(k) for k in np.argsort(-found)[: world.top]]
        chosen = best if 0 in best else [*best, 0]
        spread = dict.fromkeys(chosen, 1.0) | {chosen[0]: world.candidate_noise}
        spread[0] = world.baseline_noise
        seeds = world.seed_effect * noise(world.num_seeds)
        values = {str(k): truth[k] + seeds + spread[k] * noise(world.num_seeds) for k in chosen}
        verdict = judge(compare(values, "0"), [str(k) for k in chosen], world.num_seeds)
        told.append((verdict, bool(truth[int(verdict.winner)] > 0)))
    return told


def claims(world: World, num_studies: int) -> int:
    """Return how many winners are called better than the baseline."""
    return sum(verdict.is_better for verdict, _ in verdicts(world, num_studies))


FALSE = {
    "nothing differs": World(),
    "seeds differ by 10": World(seed_effect=10),
    "2 seeds": World(num_seeds=2),
    "5 seeds": World(num_seeds=5),
    "top 1": World(top=1),
    "top 10": World(top=10),
    "the baseline is twice as noisy": World(baseline_noise=2),
    "the best candidate is twice as noisy": World(candidate_noise=2),
    "heavy tails (t, 3 degrees)": World(tails=3),
}
TRUE = {
    f"gain {gain}, {seeds} seeds": World(gain=gain, num_seeds=seeds, seed_effect=10)
    for seeds in (2, 3, 5)
    for gain in (1, 2, 3, 4)
}


def main() -> int:
    """Print both tables."""
    parser = ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=20_000, metavar="N", help="default: 20000")
    num = parser.parse_args().studies
    print(f"false verdicts, of {num} studies each")
    for name, world in FALSE.items():
        print(f"{claims(world, num) / num:7.2%}  {name}")
    print("true verdicts, and verdicts on a winner that is no better")
    for name, world in TRUE.items():
        told = [is_true for verdict, is_true in verdicts(world, num) if verdict.is_better]
        print(f"{sum(told) / num:7.2%} {1 - sum(told) / max(1, len(told)):7.2%}  {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
