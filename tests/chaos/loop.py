"""Kills a study with -9 at random moments until it is done, and compares it with one never killed.

    python tests/chaos/loop.py --seeds 10                             # or: make chaos SEEDS=10
    python tests/chaos/loop.py --seeds 10 --engine both --out FILE    # stock Ray Tune beside it

Each seed is a round of its own: the study's seed, an uninterrupted run as the reference, and the
moments of the kills. Progress goes to stderr, a table to stdout; the exit code is 1 if a promise
of ours is broken.
"""

import dataclasses
import random
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import judge
import report
import rival
from kills import (
    TRAINING,
    Command,
    Outcome,
    Progress,
    draw_moment,
    draw_phases,
    phases_left,
    python,
    run_start,
)
from report import Round

SPACE = Path(__file__).with_name("study.yaml")
_MAX_STARTS = 25  # of one round: more say that it makes no way
_MAX_FAILURES = 3  # in a row
_STUDY = "study"


def main() -> int:
    """Run the rounds; return 1 if one of ours broke a promise."""
    asked = _parser().parse_args()
    engines = ["ours", "stock"] if asked.engine == "both" else [asked.engine]
    rounds = []
    for engine in engines:
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            rounds.append(_run_round(engine, seed, asked))
            say(report.line(rounds[-1]))
            if asked.out:
                asked.out.write_text(report.document(rounds, sys.argv))
    sys.stdout.write(report.tables(rounds))
    broken = [(r.seed, *each) for r in rounds if r.engine == "ours" for each in r.broken]
    for seed, promise, text in broken:
        say(f"seed {seed}: {promise}: {text}")
    return 1 if broken else 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seeds", type=int, default=10, help="rounds; default: 10")
    add("--first-seed", type=int, default=0, help="of the first round; default: 0")
    add("--engine", choices=["ours", "stock", "stock-defaults", "both"], default="ours")
    add("--out", type=Path, metavar="FILE", help="write a report in Markdown")
    add("--num-trials", type=int, default=8, help="of each study; default: 8")
    add(
        "--kills",
        type=int,
        metavar="N",
        help="in training, and 1 in the start-up; default: drawn",
    )
    add("--no-retrain", action="store_true", help="search only")
    add("--keep", action="store_true", help="keep the files of each round, and say where they lie")
    return parser


def say(text: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _run_round(engine: str, seed: int, asked: Namespace) -> Round:
    scratch = Path(tempfile.mkdtemp(prefix="chaos-"))  # a short path: Ray's sockets lie below it
    done = Round(seed, engine)
    began = time.monotonic()
    try:
        reference = _command(engine, seed, scratch / "whole", asked)
        killed = _command(engine, seed, scratch / "killed", asked)
        timing = run_start(reference, Progress(0, False), None)
        if timing.exit_code != 0:
            raise RuntimeError(f"the uninterrupted run failed; its output: {reference.output}")
        say(f"{engine} {seed}: the uninterrupted run took {time.monotonic() - began:.0f} s")
        _kill_until_done(done, killed, reference, timing, asked)
    except BaseException:
        say(f"the files of this round: {scratch}")
        raise
    done.seconds = time.monotonic() - began
    if asked.keep or (done.broken and engine == "ours"):
        say(f"the files of this round: {scratch}")
    else:
        shutil.rmtree(scratch, ignore_errors=True)  # a killed start's helpers may still write
    return done


def _command(engine: str, seed: int, scratch: Path, asked: Namespace) -> Command:
    scratch.mkdir()
    settings = [f"--seed={seed}", f"--num-trials={asked.num_trials}"]
    options: list[str | Path] = ["--space", SPACE, *settings]
    if engine != "ours":
        rest = ["--defaults"] if engine == "stock-defaults" else []
        program = Path(__file__).with_name("stock.py")
        arguments = python(program, *options, "--folder", _folder(scratch), *rest)
        return Command(arguments, scratch, lambda: rival.read_progress(_folder(scratch)))
    rest = ["--no-retrain"] if asked.no_retrain else []
    where: list[str | Path] = ["--results", scratch, "--name", _STUDY, "--max-concurrent", "1"]
    arguments = python("-m", "search.tune", *options, *where, *rest)
    database = _folder(scratch) / "study.db"
    return Command(arguments, scratch, lambda: judge.read_progress(database, asked.num_trials))


def _folder(scratch: Path) -> Path:
    return scratch / _STUDY


def _kill_until_done(
    done: Round, killed: Command, reference: Command, timing: Outcome, asked: Namespace
) -> None:
    """Start, kill and look, until the command ends by itself; then compare what it made."""
    rng = random.Random(done.seed)
    is_ours = done.engine == "ours"
    done.is_retrained = is_retrained = is_ours and not asked.no_retrain
    phases = draw_phases(rng, num_training=asked.kills, is_retrained=is_retrained)
    whole = judge.read_study(_folder(reference.scratch) / "study.db")
    total = _stored(reference, whole, is_ours, asked).num_epochs
    done.num_epochs = judge.times_trained(reference.failpoints).total()
    study: judge.Study = {}
    num_failures, exit_code = 0, None
    while exit_code != 0 and num_failures < _MAX_FAILURES and done.starts < _MAX_STARTS:
        stored = _stored(killed, study, is_ours, asked)
        moment = draw_moment(rng, phases, stored, total, timing) if phases else None
        outcome = run_start(killed, stored, moment)
        done.starts += 1
        exit_code = outcome.exit_code
        if is_ours:
            database = _folder(killed.scratch) / "study.db"
            now = judge.read_study(database)
            done.broken += judge.check_kill(study, now, whole)
            done.broken += judge.check_repeats(database, killed.failpoints)
            study = now
        num = _stored(killed, study, is_ours, asked).num_epochs
        if exit_code is None:
            phases, num_failures = phases_left(phases, outcome.phase), 0
            fastest = min(timing.first_epoch_after, outcome.first_epoch_after)
            if outcome.phase == TRAINING:
                timing = dataclasses.replace(timing, first_epoch_after=fastest)
            done.kills[outcome.phase] += 1
            say(f"{done.engine} {done.seed}: killed in {outcome.phase}, {num} of {total} epochs")
        elif exit_code != 0:
            num_failures += 1
            done.broken.append(("starts that failed", f"exit code {exit_code}"))
            say(f"{done.engine} {done.seed}: ended by itself with exit code {exit_code}")
    done.again = judge.trained_again(killed.failpoints)
    folders = _folder(killed.scratch), _folder(reference.scratch)
    done.num_trials = len(judge.read_table(folders[0] / "trials.csv"))
    if is_ours:
        done.broken += judge.check_trained_again(done.again)
        done.broken += judge.check_end(*folders, is_retrained=is_retrained)
    else:
        done.rival = rival.compare(*folders, is_finished=exit_code == 0)


def _stored(command: Command, study: judge.Study, is_ours: bool, asked: Namespace) -> Progress:
    if is_ours:
        return judge.progress_of(study, asked.num_trials)
    return rival.read_progress(_folder(command.scratch))


if __name__ == "__main__":
    sys.exit(main())
