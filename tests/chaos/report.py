"""The figures of the rounds, as a line, as tables and as a document."""

import os
import platform
import shlex
import statistics
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from judge import NOT_SAVED, PROMISES, REFUSED, SAVED, SAVED_LATE, Broken
from kills import RETRAINING, ROOT, STARTUP, TRAINING

_PACKAGES = ("ray", "optuna", "torch")
_PHASES = (STARTUP, TRAINING, RETRAINING)
_SHORT = {
    "trials lost": "lost",
    "trials doubled": "doubled",
    "epochs reported twice": "reported twice",
    "finished trials changed": "changed",
    "progress lost": "went back",
    "saved epochs trained again": "saved, trained again",
    "differences from the uninterrupted run": "differences",
    "starts that failed": "failed starts",
}
# Ray copies a checkpoint that the trial hands over, and restores what its own files name.
_RIVAL_REASONS = {
    NOT_SAVED: NOT_SAVED,
    REFUSED: NOT_SAVED,  # nobody refuses there
    SAVED_LATE: "its checkpoint was handed to Ray, but what Ray restored was older",
    SAVED: "its checkpoint was handed to Ray, but what Ray restored was older",
}


@dataclass
class Round:
    """What happened under one seed."""

    seed: int
    engine: str
    kills: Counter[str] = field(default_factory=Counter)
    """By phase."""
    starts: int = 0
    num_epochs: int = 0
    """Trained by the uninterrupted run's search."""
    num_trials: int = 0
    """At the end."""
    is_retrained: bool = False
    """Whether the winner was retrained and a submission written."""
    broken: list[Broken] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    """Epochs trained again, by reason."""
    rival: dict[str, int | float | bool | None] = field(default_factory=dict)
    """Of stock Ray Tune: see `rival.compare`."""
    seconds: float = 0.0


def line(each: Round) -> str:
    """Return a round in one line."""
    head = (
        f"{each.engine} {each.seed}: {each.starts} starts, {each.kills.total()} kills, "
        f"{each.again.total()} epochs trained again, {each.seconds:.0f} s"
    )
    if each.engine == "ours":
        return f"{head}; {len(each.broken)} promises broken"
    return f"{head}; " + ", ".join(f"{name}: {value}" for name, value in each.rival.items())


def tables(rounds: Sequence[Round]) -> str:
    """Return a table for each engine, and what they say in a sentence."""
    parts = []
    for engine in dict.fromkeys(each.engine for each in rounds):
        own = [each for each in rounds if each.engine == engine]
        parts.append(_our_part(own) if engine == "ours" else _rival_part(own))
    return "\n".join(parts)


def document(rounds: Sequence[Round], arguments: Sequence[str]) -> str:
    """Return the report that is kept under `benchmarks/`."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    date = datetime.now(UTC).date().isoformat()
    return f"""\
# A study killed at random moments

Each round runs one study without interruption, and once more in another folder where the command is
killed with `kill -9` at moments drawn from the round's seed, and started again at once, until it
ends by itself. The study: `tests/chaos/study.yaml`, one worker. How to read this: `README.md`.

- Command: `{_command(arguments)}`
- Date: {date}; commit: {_commit()}
- Versions: {packages}, Python {platform.python_version()}
- Hardware: {os.cpu_count()} cores of {_processor()}
- Time of a round, its uninterrupted run included (median): {_times(rounds)}

{tables(rounds)}"""


def _our_part(rounds: Sequence[Round]) -> str:
    head = ["seed", "trials", "epochs", *_PHASES, "starts", *_SHORT.values(), "trained again"]
    rows = []
    for each in rounds:
        counts = Counter(promise for promise, _ in each.broken)
        rows.append(
            [
                *(each.seed, each.num_trials, each.num_epochs),
                *(each.kills[phase] for phase in _PHASES),
                each.starts,
                *(counts[promise] for promise in PROMISES),
                each.again.total(),
            ]
        )
    kills = sum(each.kills.total() for each in rounds)
    whole = sum(not each.broken for each in rounds)
    made = ",\nevery epoch's values, and `submission.csv` byte for byte"
    if any(not each.is_retrained for each in rounds):
        made = " and every epoch's values"
    return f"""\
## This program

{_table(head, [*rows, _sums(rows)])}
{kills} kills. In {whole} of {len(rounds)} rounds no promise was broken and the end was that of the
uninterrupted run: trials, settings, states, stop decisions{made}.

{_reasons(rounds)}"""


def _rival_part(rounds: Sequence[Round]) -> str:
    names = list(rounds[0].rival)
    head = ["seed", "epochs", *_PHASES[:2], "starts", *names, "trained again"]
    rows = [
        [
            *(each.seed, each.num_epochs, each.kills[STARTUP], each.kills[TRAINING], each.starts),
            *(each.rival[name] for name in names),
            each.again.total(),
        ]
        for each in rounds
    ]
    is_default = rounds[0].engine == "stock-defaults"
    setting = "all by default" if is_default else "study in SQLite, two checkpoints kept"
    share = sum(each.again.total() for each in rounds) / sum(each.num_epochs for each in rounds)
    same = sum(bool(each.rival["same as uninterrupted"]) for each in rounds)
    best = sum(bool(each.rival["same best"]) for each in rounds)
    return f"""\
## Stock Ray Tune, {setting}

The same trainings with `OptunaSearch`, `ASHAScheduler`, a checkpoint with every report and
`Tuner.restore`, as the documentation says: `tests/chaos/stock.py`. Each round is compared with its
own uninterrupted run; trials are told apart by their settings.

{_table(head, [*rows, _sums(rows)])}
{same} of {len(rounds)} rounds ended as the uninterrupted run, {best} with the same best trial.
Trained again: {share:.0%} of the epochs that the uninterrupted runs took.

{_reasons(rounds)}"""


def _reasons(rounds: Sequence[Round]) -> str:
    reasons: Counter[str] = Counter()
    for each in rounds:
        for reason, count in each.again.items():
            reasons[reason if each.engine == "ours" else _RIVAL_REASONS[reason]] += count
    if not reasons:
        return "No epoch of a trial was trained to its end twice.\n"
    rows = [[count, reason] for reason, count in reasons.most_common()]
    return f"Epochs trained to their end again, and why:\n\n{_table(['epochs', 'reason'], rows)}"


def _sums(rows: Sequence[Sequence[object]]) -> list[object]:
    """Return the last row of a table: sums where all of a column are counts or claims."""
    sums: list[object] = ["all"]
    for column in list(zip(*rows, strict=True))[1:]:
        numbers = [value for value in column if isinstance(value, int)]
        sums.append(sum(numbers) if len(numbers) == len(column) else "")
    return sums


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(value) for value in each)} |\n" for each in lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _command(arguments: Sequence[str]) -> str:
    program = Path(arguments[0]).resolve().relative_to(ROOT)
    return shlex.join(["python", str(program), *arguments[1:]])


def _times(rounds: Sequence[Round]) -> str:
    seconds: dict[str, list[float]] = {}
    for each in rounds:
        seconds.setdefault(each.engine, []).append(each.seconds)
    return ", ".join(f"{name} {statistics.median(all_):.0f} s" for name, all_ in seconds.items())


def _commit() -> str:
    """Return the checkout's commit, and whether files were changed since."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", ".", ":!benchmarks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"`{commit}`" + (", with changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()


def _processor() -> str:
    """Return the processor's name; some systems do not tell."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
    return names[0] if names else platform.machine()
