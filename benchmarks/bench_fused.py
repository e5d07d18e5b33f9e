"""Whether K trainings in one program are faster than one after the other in the same process.

    python benchmarks/bench_fused.py [--trials 2 4] [--rounds N] [--json]

Both ways take turns: K steppers as a search has them, each taking a step in turn, and one fused
stepper (`fused.py`). On CUDA each is captured in a graph. The ratio is the median of the rounds'
ratios of images a second. The rule, fixed before a GPU was measured: fused trials become part of
the product only if they give 1.3 times the best of single trainings and of several processes
(`search.engine.measuring` measures those); else they stay a prototype.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from fused import FusedStepper
from training_ways import BATCH, CONFIG, wait

from seresnet.data import Split
from seresnet.device import resolve_precision
from seresnet.graph import record
from seresnet.step import Stepper
from seresnet.synthetic import make_synthetic
from seresnet.weights import Learned


def main() -> None:
    """Measure each number of trials; print a line each, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--trials", type=int, nargs="+", default=[2, 4], metavar="K", help="default: 2 4")
    add("--rounds", type=int, default=5, metavar="N", help="default: 5")
    add("--steps", type=int, metavar="N", help="in a round; default: 2 on a CPU, 100 on CUDA")
    add("--json", action="store_true", help="print all figures as JSON")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = options.steps or (100 if device.type == "cuda" else 2)
    results = [compare(k, device, steps, options.rounds) for k in options.trials]
    for result in results:
        print(json.dumps(result) if options.json else _line(result))


def compare(num: int, device: torch.device, steps: int, rounds: int) -> dict[str, float]:
    """Return images a second of `num` trainings in turns and fused, and the ratio."""
    ways = {"in_turns": in_turns(num, device), "fused": fused(num, device)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            started = time.monotonic()
            for _ in range(steps):
                ways[name]()
            wait(device)
            rates[name].append(num * steps * BATCH / (time.monotonic() - started))
    warm = {name: each[1:] for name, each in rates.items()}
    pairs = zip(warm["fused"], warm["in_turns"], strict=True)
    return {
        "trials": num,
        **{name: round(statistics.median(each), 1) for name, each in warm.items()},
        "ratio": round(statistics.median(ours / theirs for ours, theirs in pairs), 3),
    }


def in_turns(num: int, device: torch.device) -> Callable[[], None]:
    """Return a function that lets each of the trainings take a step."""
    dtype, data = resolve_precision(CONFIG.precision, device), _images(device)
    repeats = []
    for seed in range(num):
        learned = Learned.create(CONFIG.channels, device)
        stepper = Stepper(CONFIG, dtype=dtype, learned=learned, data=data)
        stepper.begin(replace(CONFIG, seed=seed), 0)
        repeats.append(_repeat(stepper.rewind, lambda s=stepper: s.step(BATCH), device))

    def step() -> None:
        for repeat in repeats:
            repeat()

    return step


def fused(num: int, device: torch.device) -> Callable[[], None]:
    """Return a function that lets all trainings take a step at once."""
    dtype, data = resolve_precision(CONFIG.precision, device), _images(device)
    learned = [Learned.create(CONFIG.channels, device) for _ in range(num)]
    stepper = FusedStepper(CONFIG, learned, dtype=dtype, data=data)
    for slot in range(num):
        stepper.begin(slot, replace(CONFIG, seed=slot), 0)
    return _repeat(stepper.rewind, lambda: stepper.step(BATCH), device)


def _repeat(
    rewind: Callable[[], None], step: Callable[[], None], device: torch.device
) -> Callable[[], None]:
    """Return what takes the first step of the tables again and again, captured on CUDA."""

    def first() -> None:
        rewind()
        step()

    return record(rewind, first) if device.type == "cuda" else first


def _images(device: torch.device) -> Split:
    data = make_synthetic(num=2 * BATCH, seed=0)
    return replace(data, images=data.images.to(device), labels=data.labels.to(device))


def _line(result: dict[str, float]) -> str:
    return (
        f"{result['trials']} trainings: in turns {result['in_turns']:.1f} images/s, "
        f"fused {result['fused']:.1f}, ratio {result['ratio']}"
    )


if __name__ == "__main__":
    main()
