"""Studies on disk as searches leave them, made through the ledger without training anything."""

import dataclasses
import math
import random
from datetime import datetime, timedelta

import optuna
from optuna.storages import InMemoryStorage

from search.study import ablation as ablations
from search.study.config import loads
from search.study.confirmation import conclude, write_confirmation
from search.study.contest import Run, planned, terms_of
from search.study.folder import StudyFolder
from search.study.header import STUDY_NAME
from search.study.ledger import Ledger
from search.study.provenance import record_start
from search.study.records import Host
from search.study.sealed import write_sealed
from search.study.snapshot import take_snapshot
from search.study.space import StudyConfig
from search.study.storage import Location, close_storage, open_storage
from search.study.winner import winner
from seresnet.epoch import EpochResult

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
STUDY = """\
study: {{num_trials: {trials}, min_epochs: {rung}, max_epochs: {epochs}, seed: 3}}
data: {{source: synthetic, num_val: 3000, num_train: 10000}}
space:
  dropout: {{low: 0.0, high: 0.5}}
  label_smoothing: {{low: 0.0, high: 0.2}}
  warmup_epochs: {{low: 0, high: 4}}
  weight_decay: {{low: 1e-5, high: 5e-3, log: true}}
  mixup_alpha: {{low: 0.0, high: 1.0}}
baseline:
  {{dropout: 0.2, label_smoothing: 0.08, warmup_epochs: 4, weight_decay: 5e-4, mixup_alpha: 0.4}}
recipes:
  plain:
    {{dropout: 0.0, label_smoothing: 0.0, warmup_epochs: 1, weight_decay: 5e-4, mixup_alpha: 0.0}}
sampler: {{name: random}}
pruner: {{name: asha, rungs: fixed}}
"""
_START = datetime(2026, 11, 28, 9, 0)
_IMAGES = {"source": "synthetic", "train_sha256": "a" * 64, "val_sha256": "b" * 64}


def config(trials=24, epochs=20, rung=6):
    """The settings of a study over five hyperparameters."""
    return loads(STUDY.format(trials=trials, epochs=epochs, rung=rung), StudyConfig)


def final(params):
    """What a setting is worth at the end: best at little regularisation, a fraction."""
    distance = (
        (params["dropout"] - 0.05) ** 2 + (params["mixup_alpha"] - 0.2) ** 2 / 4
        + 4 * (params["label_smoothing"] - 0.03) ** 2
        + (math.log10(params["weight_decay"]) + 3.4) ** 2 / 40
    )  # fmt: skip
    return 0.72 - 0.3 * distance


def result(number, params, epoch, epochs):
    """One epoch's result: a rising curve with the same noise at every call."""
    noise = random.Random(1000 * number + epoch).gauss(0, 0.006)
    value = final(params) - 0.5 * math.exp(-4.5 * epoch / epochs) + noise
    return EpochResult(
        epoch=epoch, train_loss=2.0 - value, val_loss=1.9 - 1.3 * value, val_accuracy=value,
        val_accuracy_raw=value - 0.01, lr=0.1 * (1 - epoch / epochs), seconds=6 + noise * 50,
        images_per_second=1700 + 3e4 * noise,
    )  # fmt: skip


class Search:
    """Workers that report in turn; their clock stands beside the study."""

    def __init__(self, config, *, workers=3, nodes=("node-a", "node-b")):
        self.config = config
        self.storage, self.seconds = InMemoryStorage(), 0.0
        self.ledger = Ledger.open(self.storage, config, clock=lambda: self.seconds)
        self.ledger.bind_images(_IMAGES)
        self.workers, self.nodes = workers, nodes
        self.spans = {}

    def run(self, *, fails=None, ends_after=None):
        """Let the search go to its end.

        Args:
            fails: by number of the trial, epoch, kind and error.
            ends_after: epochs after which the driver is gone, with trials still running.
        """
        fails, running = fails or {}, {}
        clocks = [_START] * self.workers
        done = 0
        while done != ends_after:
            free = [place for place in range(self.workers) if place not in running]
            for place in free:
                if (suggestion := self.ledger.suggest()) is not None:
                    running[place] = suggestion
                    self.spans[suggestion.number] = [clocks[place], None]
            if not running:
                break
            place = min(running, key=lambda place: clocks[place])
            clocks[place] += timedelta(seconds=6)
            self.seconds = (max(clocks) - _START).total_seconds()
            done += 1
            if not self._epoch(place, running[place], fails.get(running[place].number)):
                self.spans[running.pop(place).number][1] = clocks[place]
        return self

    def _epoch(self, place, suggestion, failure):
        """Report the next epoch, or the failure that takes its place; return whether it goes on."""
        epoch = len(self.ledger.trials[suggestion.number].epochs) + 1
        if failure and epoch == failure[0]:
            self.ledger.fail(suggestion.number, kind=failure[1], error=failure[2])
            return False
        node = self.nodes[place % len(self.nodes)]
        host = Host(node=node, device="cpu", dtype="bfloat16", threads=1)
        each = result(suggestion.number, suggestion.params, epoch, self.config.study.max_epochs)
        return self.ledger.report(suggestion.number, each, host, attempt=suggestion.attempt)

    def save(self, folder, *, confirmed=False, command="python -m search.tune --space mine.yaml"):
        """Store the study in a folder, with its provenance; return the folder."""
        folder.create()
        location = Location.of_file(folder.database)
        storage = open_storage(location)
        stored = optuna.load_study(study_name=STUDY_NAME, storage=self.storage)
        copy = optuna.create_study(study_name=STUDY_NAME, storage=storage, direction="maximize")
        for key, value in stored.user_attrs.items():
            copy.set_user_attr(key, value)
        for trial in stored.get_trials():
            start, end = self.spans[trial.number]
            trial.datetime_start, trial.datetime_complete = start, end
            copy.add_trial(trial)
        close_storage(storage)
        record_start(
            folder.provenance, self.ledger, _IMAGES, command=command, stored_in="sqlite:///study.db"
        )
        if confirmed:
            self._confirm(folder)
            self._ablate(folder)
        return folder

    def _confirm(self, folder):
        """Leave behind what a confirmation on three seeds does."""
        terms = terms_of(self.config)
        values = {run.name: self._value(run) for run in planned(self.ledger, terms)}
        found = conclude(self.ledger, terms, values, num_val=3000)
        write_confirmation(found, folder.confirmation)

    def _ablate(self, folder):
        """Leave behind what an ablation on the same seeds does."""
        best, seeds = winner(folder, self.ledger), self.config.confirm.seeds
        baseline = self.ledger.trials[0].params
        runs = [
            Run(name, seed, self.config.trial_config(params, epochs=20, seed=seed))
            for name, params in ablations.variants(best.params, baseline).items()
            for seed in seeds
        ]
        outcomes = {}
        for run in runs:
            outcomes.setdefault(run.who, []).append(self._value(run))
        effects = ablations.find_effects(best.params, baseline, outcomes)
        recipe = ablations.reduce(best.params, baseline, effects)
        outcomes["reduced"] = [final(recipe) + 0.001 * k for k in range(len(seeds))]
        found = ablations.conclude(self.ledger, best, runs, outcomes, effects)
        write_sealed(found, folder.ablation)

    def _value(self, run):
        params = {name: getattr(run.config, name) for name in self.config.space}
        noise = random.Random(f"{params} {run.seed}").gauss(0, 0.0015)
        return final(params) - 0.004 + 0.002 * (run.seed % 3) + noise


def whole(path):
    """A finished, confirmed study whose errors and one node's name are hostile."""
    fails = {
        7: (4, "exception", f"ValueError: {HOSTILE} (mine.py:3)"),
        11: (2, "diverged", "loss is nan in epoch 2"),
    }
    search = Search(config(), nodes=("node-a", HOSTILE)).run(fails=fails)
    return search.save(StudyFolder(path), confirmed=True, command=f"echo '{HOSTILE}'")


def running(path):
    """A study whose driver is at work, or gone: three trials are open."""
    return Search(config()).run(ends_after=150).save(StudyFolder(path))


def single(path):
    """A study of the baseline alone."""
    text = STUDY.format(trials=1, epochs=8, rung=6)
    start, end = text.index("recipes:"), text.index("sampler:")
    settings = loads(text[:start] + text[end:], StudyConfig)
    return Search(settings, workers=1).run().save(StudyFolder(path))


def failed(path):
    """A study of which every trial has failed."""
    fails = dict.fromkeys(range(4), (1, "exception", f"RuntimeError: {HOSTILE}"))
    return Search(config(trials=4)).run(fails=fails).save(StudyFolder(path))


def empty(path):
    """A study before its first trial."""
    return Search(config()).run(ends_after=0).save(StudyFolder(path))


def with_hostile_names(snapshot):
    """A study whose recipe has a name that no study file may give it, and so has a setting."""
    trials = [dataclasses.replace(trial, name=trial.name and HOSTILE) for trial in snapshot.trials]
    return dataclasses.replace(snapshot, trials=trials, winner=trials[snapshot.winner.number])


def snapshot_of(make, path):
    """A study that is made, as a reader sees it."""
    return take_snapshot(make(path))
