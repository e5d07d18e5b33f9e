"""Other search packages on the simulated curves of `search.simulate`, at the same budget.

    python benchmarks/bench_peers.py --peer "optuna tpe" "ray asha:15,2" --out FOLDER
    python benchmarks/bench_peers.py --out FOLDER --table

A peer runs in an environment that has its package (`benchmarks/README.md`); each adds its file to
the folder, search by search, and what is in the folder is not run again. The table is made of all
of them. SMAC3's forests need `PYTHONHASHSEED` to be fixed, or they differ from run to run.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from peers.catalogue import PEERS, Entry
from peers.loop import Race, regret

from search.engine.comparison import standard_error
from search.engine.curves import FAMILIES, make_family
from search.study.policies import with_budget
from search.study.space import StudyConfig, load_study

Search = dict[str, Any]
"""One search: what came out, and of whom."""


def main() -> int:
    """Run the peers, or print the table of a folder."""
    asked = _parser().parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.table:
        print("\n".join(table(read(asked.out))))
        return 0
    config = load_study(asked.space)
    missing = [name for name in asked.peer if not _run(name, config, asked)]
    return 1 if missing else 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--peer", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER", help="by name")
    add("--curves", nargs="+", choices=FAMILIES, default=FAMILIES, metavar="FAMILY")
    add("--space", type=Path, default=Path("search_spaces/reg.yaml"), help="the study file")
    add("--seeds", type=int, default=20, metavar="N", help="searches a row; default: 20")
    add("--budget", type=int, default=1800, metavar="E", help="epochs a search; default: 1800")
    add("--workers", type=int, default=4, metavar="W", help="trials at once; default: 4")
    add("--out", type=Path, required=True, help="folder of the results")
    add("--table", action="store_true", help="print what the folder holds; run nothing")
    return parser


def _run(name: str, config: StudyConfig, asked: Namespace) -> bool:
    """Run what is missing of a peer; return whether its package is there."""
    entry = PEERS[name]
    try:
        entry.load()
    except ImportError as error:
        print(f"{name}: left out: {error}", file=sys.stderr)
        return False
    path = asked.out / f"{name.replace(' ', '_').replace(':', '_').replace('%', '')}.jsonl"
    done = {(each["curves"], each["seed"]) for each in _lines(path)}
    for curves in asked.curves:
        for seed in range(config.study.seed, config.study.seed + asked.seeds):
            if (curves, seed) not in done:
                search = {"peer": name, **race(entry, config, curves, seed, asked)}
                with path.open("a") as file:
                    file.write(json.dumps(search, allow_nan=False) + "\n")
        print(f"{name}: {curves} done", file=sys.stderr)
    return True


def race(entry: Entry, config: StudyConfig, curves: str, seed: int, asked: Namespace) -> Search:
    """Return what one search of a peer comes to.

    Args:
        entry: the peer.
        config: the study; its sampler and rungs are ours, and not the peer's.
        curves: family.
        seed: of noise and pace, and of the peer.
        asked: `workers` and `budget`.
    """
    seeded = with_budget(config, seed=seed, max_total_epochs=asked.budget)
    family = make_family(curves, seeded)
    peer = entry.load()(seeded, seed)
    outcome = Race(peer, family, seed, asked.workers).run(asked.budget)
    assert outcome.epochs == asked.budget or entry.module == "ours", outcome.epochs
    return {
        "version": entry.version,
        "curves": curves,
        "seed": seed,
        "workers": asked.workers,
        "regret": regret(outcome, family, config),
        "regret_of_tried": outcome.regret_of_suggested,
        "epochs": outcome.epochs,
        "trials": len(outcome.trials),
        "complete": outcome.states["COMPLETE"],
        "utilisation": outcome.utilisation,
    }


def read(folder: Path) -> list[Search]:
    """Return all searches of a folder, peers in the order of the catalogue."""
    every = [search for path in sorted(folder.glob("*.jsonl")) for search in _lines(path)]
    return sorted(every, key=lambda search: list(PEERS).index(search["peer"]))


def _lines(path: Path) -> list[Search]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(searches: list[Search]) -> Iterator[str]:
    """Yield the lines of a Markdown table: a peer a row, regret in points for each family.

    Bold is what is within 10% or one standard error of the family's best row here.
    """
    peers = list(dict.fromkeys(search["peer"] for search in searches))
    rows = {peer: [search for search in searches if search["peer"] == peer] for peer in peers}
    goals = {name: _goal(rows.values(), name) for name in FAMILIES}
    yield f"| peer | {' | '.join(FAMILIES)} | trials | whole | within the goal |"
    yield f"|---|{'---|' * len(FAMILIES)}---|---|---|"
    for peer, own in rows.items():
        cells = [_cell(_regrets(own, name), goals[name]) for name in FAMILIES]
        means = [f"{sum(s[key] for s in own) / len(own):.0f}" for key in ("trials", "complete")]
        reached = f"{sum('**' in cell for cell in cells)} of {len(FAMILIES) - cells.count('-')}"
        yield f"| `{peer}` | {' | '.join([*cells, *means, reached])} |"


def _regrets(searches: list[Search], curves: str) -> list[float]:
    return [100 * search["regret"] for search in searches if search["curves"] == curves]


def _goal(rows: Iterable[list[Search]], curves: str) -> float:
    """Return the most that a row may have on a family."""
    every = [_regrets(own, curves) for own in rows]
    most = max(len(regrets) for regrets in every)
    if not most:
        return 0.0
    # A row of few seeds is no mark for the others.
    best = min((regrets for regrets in every if len(regrets) == most), key=fmean)
    return max(1.1 * fmean(best), fmean(best) + (standard_error(best) or 0.0))


def _cell(regrets: list[float], goal: float) -> str:
    if not regrets:
        return "-"
    error = standard_error(regrets)
    text = f"{fmean(regrets):.2f}" + ("" if error is None else f" ± {error:.2f}")
    text = f"**{text}**" if fmean(regrets) <= goal else text
    return text if len(regrets) == 20 else f"{text} ({len(regrets)} seeds)"


if __name__ == "__main__":
    sys.exit(main())
