"""What several tests pretend: a host, results, a small study, a storage that kills, a clock."""

import dataclasses
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from optuna.storages import InMemoryStorage

from search.study.config import loads
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.progress import Progress
from search.study.records import Host, TrialRecord, baseline_value, incumbent
from search.study.snapshot import Snapshot
from search.study.space import StudyConfig
from seresnet import run as running
from seresnet.epoch import EpochResult
from seresnet.files import sha256_of, write_csv

HOST = Host(node="here", device="cpu", dtype="float32", threads=1)
IMAGES = {"train_sha256": "a", "val_sha256": "b"}
STUDY = """\
study: {num_trials: 8, min_epochs: 1, max_epochs: 4, reduction_factor: 2, seed: 2}
data: {source: synthetic, num_val: 256, num_train: 256}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
  crop_padding: {low: 0, high: 8}
baseline: {dropout: 0.5, crop_padding: 8}
recipes:
  bare: {dropout: 0.5, crop_padding: 0}
sampler: {name: tpe, num_startup: 3}
pruner: {name: asha, rungs: fixed}
"""
CONFIG = loads(STUDY, StudyConfig)


def accuracy(params, epoch):
    """Best where dropout is 0.1 and padding 2; STUDY's baseline and its recipe are the worst."""
    distance = abs(params["dropout"] - 0.1) + 0.05 * abs(params["crop_padding"] - 2)
    return 0.9 - distance - 0.1 / epoch


def result(epoch, value):
    """Return an epoch's result, whose numbers show whether they are stored to the last bit."""
    numbers = {"train_loss": 2 / 3, "val_loss": 0.1 + 0.2, "lr": 1e-5, "seconds": 1 / 7}
    return EpochResult(
        epoch=epoch, val_accuracy=value, val_accuracy_raw=value, images_per_second=1e5, **numbers
    )


def run(ledger, *values):
    """Hand out one trial and report an epoch for each value; return its number."""
    suggestion = ledger.suggest()
    for epoch, value in enumerate(values, 1):
        ledger.report(suggestion.number, result(epoch, value), HOST, attempt=suggestion.attempt)
    return suggestion.number


def run_trials(ledger, num_trials):
    """Let trials go to their ends, one after the other."""
    for _ in range(num_trials):
        suggestion = ledger.suggest()
        for epoch in (1, 2, 3, 4):
            each = result(epoch, 0.5 + suggestion.number / 100)
            ledger.report(suggestion.number, each, HOST, attempt=suggestion.attempt)


def finish(job, *, accuracy=None, model=b"a model"):
    """Leave behind what a training to completion does."""
    running.claim(job.folder, job.owner)
    (job.folder / "model.pt").write_bytes(model)
    row = dataclasses.asdict(result(job.config.epochs, accuracy))
    write_csv(job.folder / "epochs.csv", list(row), [row])
    metrics = {
        **row,
        "model_sha256": sha256_of(job.folder / "model.pt"),
        "epochs_sha256": sha256_of(job.folder / "epochs.csv"),
        "num_parameters": 1234,
        "config_sha256": job.config.fingerprint(),
        **job.provenance,
    }
    metrics["metrics_sha256"] = running._hash(metrics)
    (job.folder / "metrics.json").write_text(json.dumps(metrics, allow_nan=False))


class Audience:
    """Notes what is told of a stage's trainings: names and epochs."""

    def __init__(self):
        self.jobs, self.unfinished, self.epochs, self.ends = [], [], [], []

    def begins(self, jobs, unfinished):
        self.jobs += [job.folder.name for job in jobs]
        self.unfinished += [job.folder.name for job in unfinished]

    def trained(self, job, result):
        self.epochs.append((job.folder.name, result.epoch))

    def diverged(self, job):
        self.ends.append(job.folder.name)


def make_database(path, num_rows):
    """Make, or extend, a database of several pages, with an index."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("CREATE TABLE IF NOT EXISTS rows (number INTEGER UNIQUE, content TEXT)")
        have = database.execute("SELECT count(*) FROM rows").fetchone()[0]
        rows = [(n, f"{n} " * 100) for n in range(have, num_rows)]
        database.executemany("INSERT INTO rows VALUES (?, ?)", rows)
        database.commit()


def num_rows(path):
    """Count the rows of a made database."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM rows").fetchone()[0]


def damage(path, num_pages=1):
    """Overwrite pages in the middle, as a bad disk does."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096 * num_pages] = b"\xa5" * 4096 * num_pages
    path.write_bytes(content)


def names(folder):
    """List a folder."""
    return sorted(p.name for p in folder.iterdir())


WRITES = {
    "create_new_study", "set_study_user_attr", "create_new_trial", "set_trial_param",
    "set_trial_system_attr", "set_trial_user_attr", "set_trial_intermediate_value",
    "set_trial_state_values",
}  # fmt: skip


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class MortalStorage(InMemoryStorage):
    """Keeps what was written, and kills its process before a chosen write of a chosen kind."""

    def __init__(self):
        super().__init__()
        self.writes = []
        self.deadly, self.lives = frozenset(), 0

    def kill_before(self, kinds, index):
        self.deadly, self.lives = frozenset(kinds), index


def _mortal(name):
    def write(self, *arguments, **options):
        if name in self.deadly:
            if self.lives == 0:
                self.deadly = frozenset()
                raise Killed
            self.lives -= 1
        self.writes.append(name)
        return getattr(InMemoryStorage, name)(self, *arguments, **options)

    return write


for _name in WRITES:
    setattr(MortalStorage, _name, _mortal(_name))


SECONDS = 1 / 3600


class Clock:
    """A second passes whenever it is looked at."""

    now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def opened_within(storage, clock=None, **budget):
    """Open STUDY within a budget; no time passes unless there is a clock."""
    config = with_budget(CONFIG, **budget)
    return Ledger.open(storage, config, clock=clock or (lambda: 0.0))


def report_next(ledger, suggestion):
    """Report the next epoch of a trial; return whether it goes on."""
    epoch = len(ledger.trials[suggestion.number].epochs) + 1
    each = result(epoch, accuracy(suggestion.params, epoch))
    return ledger.report(suggestion.number, each, HOST, attempt=suggestion.attempt)


def play_out(ledger, num_workers=1):
    """Let workers report in turn until nothing is left to do."""
    running = []
    while True:
        while len(running) < num_workers and (suggestion := ledger.suggest()) is not None:
            running.append(suggestion)
        if not running:
            return ledger
        running = [each for each in running if report_next(ledger, each)]


def trials_of(ledger):
    """Return all of a study but how often a trial was handed out."""
    return [dataclasses.replace(trial, attempts=0) for trial in ledger.trials]


def trial(number, curve, *, state="COMPLETE", reason=None, host=HOST, params=None, **fields):
    """Return a trial with an accuracy by epoch; its other numbers by `losses` and `speeds`."""
    losses, speeds = fields.pop("losses", None), fields.pop("speeds", None)
    epochs = {}
    for epoch, value in enumerate(curve, 1):
        changes = {"val_loss": losses[epoch - 1]} if losses else {}
        changes |= {"images_per_second": speeds[epoch - 1]} if speeds else {}
        epochs[epoch] = dataclasses.replace(result(epoch, value), **changes)
    if reason is None:
        kind = fields.get("error_kind", "")
        ends = {"COMPLETE": "max_epochs", "PRUNED": f"rung {len(curve)}", "FAIL": kind}
        reason = ends.get(state, "")
    return TrialRecord(
        number=number,
        params={"dropout": 0.2, "crop_padding": 4} if params is None else params,
        name=fields.pop("name", "" if number else "baseline"),
        state=state,
        stop_reason=reason,
        epochs=epochs,
        host=host,
        **fields,
    )


def make_snapshot(trials=(), config=CONFIG, *, order=None, path="results/demo", **fields):
    """Return a study at one moment; its results came trial by trial unless an order is given."""
    trials = list(trials)
    states = Counter("PAUSED" if t.is_paused else t.state for t in trials)
    best, baseline = incumbent(trials), baseline_value(trials)
    progress = Progress(
        num_trials=max(config.study.num_trials, len(trials)),
        states=dict(states),
        running=[t for t in trials if t.is_running],
        incumbent=best,
        gain=best.value - baseline if best and baseline is not None else None,
        epochs_done=sum(len(t.epochs) for t in trials),
        epochs_most=config.study.max_epochs * config.study.num_trials,
        max_epochs=config.study.max_epochs,
        budget=fields.pop("budget", ""),
    )
    in_turn = [(t.number, epoch) for t in trials for epoch in t.epochs]
    return Snapshot(
        id="a-study",
        folder=StudyFolder(Path(path)),
        config=config,
        trials=trials,
        order=in_turn if order is None else order,
        spans={},
        search_seconds=60.0,
        progress=progress,
        confirmation=fields.pop("confirmation", None),
        ablation=fields.pop("ablation", None),
        winner=fields.pop("winner", best),
    )
