"""Images a second in training: what a user would write, ours, and what the network itself allows.

    python benchmarks/bench_training.py [--data DIR] [--rounds N] [--steps N] [--json]

Three ways take turns in one process, so that a busy neighbour slows them alike. A ratio is the
median of the rounds' ratios:

- rival: torchvision's transforms on PIL images in a DataLoader, float32, `torch.optim.SGD`. The
  seed recipe's way, with its colour jitter, crop, flip, cutout and mixup. No loader processes on a
  CPU, as in the seed (two were no faster on two cores), 8 on CUDA.
- ours: `seresnet.train.train`, with all its averages, draws and checks; validation not included.
- limit: the same network, dtype and layout on the same 128 images in every step, with PyTorch's
  own mixed precision and fused SGD, on CUDA in a graph: what is left when reading and augmenting
  images costs nothing. Ours may exceed it, as it casts weights in one operation instead of each.

On a CPU a fourth figure says what packing brings: two trials of one thread each, side by side as
Ray tasks, against one trial of two threads, also as a Ray task.
"""

import argparse
import json
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import ray
import torch
from training_ways import BATCH, CONFIG, Take, limit, ours, rival

from search.study.provenance import hardware
from seresnet.data import Split, load_labelled
from seresnet.device import resolve_precision
from seresnet.splits import stratified_subset
from seresnet.synthetic import make_synthetic


def main() -> None:
    """Measure, print a table (or JSON), ratios last."""
    options = _options()
    device = torch.device("cuda" if torch.cuda.is_available() and not options.cpu else "cpu")
    if options.threads:
        torch.set_num_threads(options.threads)
    steps = options.steps or (200 if device.type == "cuda" else 4)
    data = _images(options.data, BATCH * steps)
    workers = options.workers if options.workers is not None else 8 * (device.type == "cuda")
    ways: dict[str, Take] = {
        "rival": rival(data, device, workers),
        "ours": ours(data, device),
        "limit": limit(data, device),
    }
    rates = _interleaved(ways, steps, options.rounds)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    result = {
        "hardware": _hardware(device),
        "threads": torch.get_num_threads(),
        "dtype": str(resolve_precision(CONFIG.precision, device)).removeprefix("torch."),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.now(UTC).date().isoformat(),
        "images": "cifar10" if options.data else "synthetic",
        "loader_workers": workers,
        "rounds": options.rounds,
        "steps_a_round": steps,
        "images_per_second": {name: round(rate, 1) for name, rate in medians.items()},
        "spread": {n: [round(min(r), 1), round(max(r), 1)] for n, r in rates.items()},
        "ratio_to_rival": _ratio(rates["ours"], rates["rival"]),
        "ratio_to_limit": _ratio(rates["ours"], rates["limit"]),
    }
    if device.type == "cpu" and not options.no_ray:
        result |= side_by_side(data, options.rounds)
    print(json.dumps(result, indent=2) if options.json else _table(result))


def side_by_side(data: Split, rounds: int) -> dict[str, object]:
    """Return what two trials of one thread train together, and one of two threads, through Ray."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        images = ray.put(data)
        pair = [Trial.options(num_cpus=1).remote(images, 1) for _ in range(2)]
        alone = [Trial.options(num_cpus=0).remote(images, 2)]
        rates: dict[str, list[float]] = {"two_of_one_thread": [], "one_of_two_threads": []}
        for is_warm in [False] + [True] * rounds:
            for name, trials in zip(rates, (pair, alone), strict=True):
                started = time.monotonic()
                num_images = sum(ray.get([trial.epoch.remote() for trial in trials]))
                if is_warm:
                    rates[name].append(num_images / (time.monotonic() - started))
    finally:
        ray.shutdown()
    medians = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "side_by_side": {name: round(rate, 1) for name, rate in medians.items()},
        "ratio_side_by_side": _ratio(*rates.values()),
    }


@ray.remote
class Trial:
    """A training in a process of its own, as in a search."""

    def __init__(self, data: Split, threads: int) -> None:
        torch.set_num_threads(threads)
        self._data = data
        self._take = ours(data, torch.device("cpu"))

    def epoch(self) -> int:
        """Train an epoch; return its images."""
        self._take(len(self._data) // BATCH)
        return len(self._data)


def _interleaved(ways: dict[str, Take], steps: int, rounds: int) -> dict[str, list[float]]:
    """Return each way's images a second in each round; their order turns round each time."""
    for take in ways.values():
        take(steps)  # warm: libraries choose kernels, the graph is captured
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            started = time.monotonic()
            ways[name](steps)
            rates[name].append(steps * BATCH / (time.monotonic() - started))
    return rates


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios: the two of a round had the same neighbours."""
    pairs = zip(ours, theirs, strict=True)
    return round(statistics.median(mine / other for mine, other in pairs), 3)


def _images(folder: Path | None, num: int) -> Split:
    if folder is None:
        return make_synthetic(num=num, seed=0)
    return stratified_subset(load_labelled(folder), num=num, seed=0)


def _hardware(device: torch.device) -> str:
    facts = hardware()
    cpu = f"{facts['cpus']} cores of {facts['processor']}"
    return f"{torch.cuda.get_device_name(device)}, {cpu}" if device.type == "cuda" else cpu


def _table(result: dict[str, object]) -> str:
    """Return a result as lines for people, the ratios last."""
    rates, spread = result["images_per_second"], result["spread"]
    assert isinstance(rates, dict)
    assert isinstance(spread, dict)
    lines = [
        f"{key}: {result[key]}" for key in ("hardware", "threads", "dtype", "versions", "date")
    ]
    lines += [f"images: {result['images']}, {result['rounds']} rounds of {result['steps_a_round']}"]
    for name, rate in rates.items():
        low, high = spread[name]
        lines.append(f"{name:6} {rate:10.1f} images/s  ({low} to {high})")
    lines += [f"{key}: {result[key]}" for key in ("side_by_side",) if key in result]
    return "\n".join(lines + [f"{k} {v}" for k, v in result.items() if k.startswith("ratio_")])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="CIFAR-10; synthetic images where left out")
    add("--rounds", type=int, default=5, metavar="N", help="default: 5")
    add("--steps", type=int, metavar="N", help="in a round; default: 4 on a CPU, 200 on CUDA")
    add("--threads", type=int, metavar="N", help="default: PyTorch's")
    add("--workers", type=int, metavar="N", help="of the rival's loader; default: 0, 8 on CUDA")
    add("--cpu", action="store_true", help="even where there is a GPU")
    add("--no-ray", action="store_true", help="leave out the trials side by side")
    add("--json", action="store_true", help="print all figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
