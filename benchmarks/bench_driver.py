"""What a search costs beside its trainings: our driver against stock Ray Tune with OptunaSearch.

    python benchmarks/bench_driver.py                      # 200 trials, three rounds: 10 minutes
    python benchmarks/bench_driver.py --trials 8 --rounds 1
    python benchmarks/bench_driver.py --json > FILE

A trial reports made-up epochs at once, so all there is to measure is the driver and its Ray. Both
run the same trials, in turns (ours, stock, stock, ours, ...), each time in a new process: the same
space, TPE with the same settings, rungs, Optuna study in SQLite, number of trials at once, reused
workers, environment. Ours is `python -m search.tune` as it is, but for the trial; stock writes no
tables and takes no backups.

The table goes to stdout, its last line is the ratio of the seconds, ours to stock's: the median of
the rounds'. `benchmarks/README.md` says what each row is.
"""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

_ENGINES = ("ours", "stock")
_ARMS = Path(__file__).with_name("driver")
# As `search.engine.cluster` sets it for ours: no telemetry, none of Tune's own output or files.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
Run = dict[str, Any]
"""What `driver/arm.py` has written."""


def main() -> int:
    """Run the rounds, print the table or the figures."""
    asked = _parser().parse_args()
    rounds: list[dict[str, Run]] = []
    for number in range(asked.rounds):
        order = _ENGINES if number % 2 == 0 else _ENGINES[::-1]
        rounds.append({engine: _run(engine, asked) for engine in order})
    if asked.json:
        json.dump(
            {"asked": vars(asked), "rounds": rounds, "ratio": ratio(rounds)},
            sys.stdout, indent=2, allow_nan=False,
        )  # fmt: skip
        print()
    else:
        print("\n".join(table(rounds)))
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--trials", type=int, default=200, metavar="N", help="of a search; default: 200")
    add("--epochs", type=int, default=9, metavar="N", help="of a trial at most; default: 9")
    add("--concurrent", type=int, default=2, metavar="N", help="trials at once; default: 2")
    add("--rounds", type=int, default=3, metavar="N", help="runs of each; default: 3")
    add("--json", action="store_true", help="every figure of every run, in place of the table")
    return parser


def _run(engine: str, asked: Namespace) -> Run:
    """Run one engine in a process of its own; return what it measured."""
    with tempfile.TemporaryDirectory(prefix="bench-driver-", ignore_cleanup_errors=True) as folder:
        command = [
            sys.executable, str(_ARMS / f"{engine}.py"), "--folder", folder,
            "--num-trials", str(asked.trials), "--epochs", str(asked.epochs),
            "--concurrent", str(min(asked.concurrent, os.cpu_count() or 1)),
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **_QUIET}, check=False
        )
        if done.returncode:
            sys.exit(f"{engine} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        run: Run = json.loads((Path(folder) / "measured.json").read_text())
    print(f"{engine}: {run['seconds']:.1f} s, {run['num_reports']} reports", file=sys.stderr)
    return run


def ratio(rounds: list[dict[str, Run]]) -> float:
    """Return the median of the rounds' ratios of seconds, ours to stock's."""
    return median(each["ours"]["seconds"] / each["stock"]["seconds"] for each in rounds)


def table(rounds: list[dict[str, Run]]) -> Iterator[str]:
    """Yield the lines: medians of the rounds, ours and stock beside each other."""
    runs = {engine: [each[engine] for each in rounds] for engine in _ENGINES}
    seconds = {engine: [run["seconds"] for run in each] for engine, each in runs.items()}
    yield _line("median of each engine's runs", *_ENGINES)
    yield _line("trials", *(each[0]["num_trials"] for each in runs.values()))
    yield _line("reports", *(_numbers(each, "num_reports") for each in runs.values()))
    yield _line("seconds", *(f"{median(each):.2f}" for each in seconds.values()))
    yield _line("  from, to", *(f"{min(each):.1f}-{max(each):.1f}" for each in seconds.values()))
    cpu = (f"{median(run['cpu_seconds'] for run in each):.2f}" for each in runs.values())
    yield _line("driver's processor seconds", *cpu)
    for unit in ("trials", "reports"):
        costs = [
            1000 * median(run["seconds"] / run[f"num_{unit}"] for run in each)
            for each in runs.values()
        ]
        yield _line(f"milliseconds a {unit[:-1]}", *(f"{cost:.1f}" for cost in costs))
    for part in _parts(runs):
        shares = [median(run["parts"].get(part, 0.0) for run in each) for each in runs.values()]
        yield _line(f"  {part}, s", *(f"{share:.2f}" if share else "-" for share in shares))
    yield from _memory(runs)
    yield f"ratio {ratio(rounds):.2f}"


def _numbers(runs: list[Run], key: str) -> str:
    return "/".join(str(number) for number in sorted({run[key] for run in runs}))


def _parts(runs: dict[str, list[Run]]) -> list[str]:
    """Return the parts of all runs, those of most seconds first."""
    every = [run["parts"] for each in runs.values() for run in each]
    names = {name for parts in every for name in parts}
    return sorted(names, key=lambda name: -max(parts.get(name, 0.0) for parts in every))


def _memory(runs: dict[str, list[Run]]) -> Iterator[str]:
    for process in ("driver", "worker"):
        peaks = {
            engine: {
                int(ended): median(run["peak_mib"][ended][process] for run in each)
                for ended in each[0]["peak_mib"]
            }
            for engine, each in runs.items()
        }
        moments = sorted(peaks["ours"])
        for ended in moments:
            values = (f"{peaks[engine][ended]:.1f}" for engine in _ENGINES)
            yield _line(f"{process}'s peak at {ended} trials, MiB", *values)
        first, last = moments[0], moments[-1]
        growths = (
            f"{1024 * (peaks[engine][last] - peaks[engine][first]) / max(1, last - first):.1f}"
            for engine in _ENGINES
        )
        yield _line("  growth a trial, KiB", *growths)


def _line(name: str, ours: object, stock: object) -> str:
    return f"{name:<36}{ours!s:>12}{stock!s:>12}"


if __name__ == "__main__":
    sys.exit(main())
