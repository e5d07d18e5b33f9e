"""A search in virtual time: the real ledger on storage in memory, and curves instead of training.

No Ray and no PyTorch: W workers ask the ledger, an epoch of theirs ends about one unit of time
later, the ledger decides. What decides is what decides in a real search, so what is learnt here
holds there as far as the curves do.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from optuna.storages import InMemoryStorage

from search.study.ledger import Ledger
from search.study.policies import with_budget
from search.study.records import Host, Suggestion
from search.study.space import StudyConfig
from seresnet.epoch import EpochResult

SLOWEST = 1.05
"""An epoch takes between one unit of virtual time and so many."""
MEAN_PACE = (1 + SLOWEST) / 2
"""Virtual time of an epoch, on average."""
NOWHERE = Host(node="", device="", dtype="", threads=0)
"""The machine of a virtual worker."""
_PACE, _VALUES = 0, 1  # streams of one trial's randomness


class Curves(Protocol):
    """What training would bring, for any setting of a study's space."""

    @property
    def best(self) -> float:
        """Final accuracy of the best setting; fraction."""

    def final(self, params: Mapping[str, float]) -> float:
        """Return the accuracy at the last epoch, without noise; fraction."""

    def observed(self, params: Mapping[str, float], rng: np.random.Generator) -> Sequence[float]:
        """Return the accuracy that is measured after each epoch, first to last; fractions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VirtualTrial:
    """One trial of a simulated search."""

    number: int
    state: str
    """Optuna's; never RUNNING, because no trial is begun that cannot be paid to its end."""
    epochs: int
    """Trained."""
    value: float | None
    """Last accuracy that was measured; fraction."""
    final: float
    """What its setting comes to at full length, without noise; fraction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a simulated search came to."""

    best: float
    """Final accuracy of the best setting there is; fraction."""
    trials: tuple[VirtualTrial, ...]
    """By number."""
    duration: float
    """Virtual time; about one unit an epoch."""
    utilisation: float
    """Share of the workers' time in which they had a trial, [0, 1]."""

    @property
    def epochs(self) -> int:
        """Epochs trained, all trials together."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def states(self) -> Counter[str]:
        """Trials by state."""
        return Counter(trial.state for trial in self.trials)

    @property
    def chosen(self) -> VirtualTrial:
        """The trial that a user takes: the best value at full budget, else the baseline."""
        complete = [t for t in self.trials if t.state == "COMPLETE"]
        return max(complete, key=lambda t: (t.value, -t.number), default=self.trials[0])

    @property
    def regret(self) -> float:
        """What the chosen setting lacks at full length to the best there is; fraction, >= 0."""
        return self.best - self.chosen.final

    @property
    def regret_of_suggested(self) -> float:
        """What the best setting that was tried lacks; the rest of `regret` was lost by judging."""
        return self.best - max(trial.final for trial in self.trials)

    @property
    def best_survived(self) -> bool:
        """Whether the best setting that was tried was trained to the end."""
        most = max(trial.final for trial in self.trials)
        return any(t.final == most and t.state == "COMPLETE" for t in self.trials)


def simulate(
    config: StudyConfig,
    curves: Curves,
    *,
    workers: int,
    seed: int,
    observe: Callable[[int], object] = lambda epochs: None,
) -> Outcome:
    """Run a study in virtual time; the same arguments give the same outcome.

    A trial's noise and pace depend on the seed and its number alone, so two policies that are
    compared meet the same luck.

    Args:
        config: the study: space, sampler, rungs, baseline, recipes, number of trials, and
            `study.max_total_epochs`, which the ledger keeps.
        curves: over the same space, as long as `study.max_epochs`.
        workers: trials at once; >= 1.
        seed: takes the place of `study.seed`.
        observe: called with the epochs done, after each.
    """
    assert workers >= 1, workers
    # Hours of a real clock say nothing of virtual time.
    seeded = with_budget(config, seed=seed, max_hours="none")
    ledger = Ledger.open(InMemoryStorage(), seeded, clock=lambda: 0.0)
    return _Search(ledger, curves, workers).run(observe)


class _Search:
    """The event loop: whose epoch ends next, and who asks for another trial then."""

    def __init__(self, ledger: Ledger, curves: Curves, workers: int) -> None:
        self._ledger = ledger
        self._curves = curves
        self._workers = workers
        self._ends: list[tuple[float, int, int, _Running]] = []  # time, trial, epoch
        self._idle_since = [0.0] * workers
        self._idle = 0.0
        self._now = 0.0

    def run(self, observe: Callable[[int], object]) -> Outcome:
        self._ask()
        epochs = 0
        while self._ends:
            self._now, _, epoch, trial = heapq.heappop(self._ends)
            epochs += 1
            if self._report(trial, epoch):
                self._train(trial, epoch + 1)
            else:
                self._idle_since.append(self._now)
                self._ask()
            observe(epochs)
        return self._outcome()

    def _ask(self) -> None:
        """Let all idle workers ask, since the end of any trial may pay for others."""
        while self._idle_since and (suggestion := self._ledger.suggest()) is not None:
            self._idle += self._now - self._idle_since.pop()
            self._train(_Running.begin(suggestion, self._curves), 1)

    def _train(self, trial: "_Running", epoch: int) -> None:
        end = self._now + trial.pace[epoch - 1]
        heapq.heappush(self._ends, (end, trial.suggestion.number, epoch, trial))

    def _report(self, trial: "_Running", epoch: int) -> bool:
        value = float(trial.values[epoch - 1])
        result = virtual_result(epoch, value, seconds=trial.pace[epoch - 1])
        number, attempt = trial.suggestion.number, trial.suggestion.attempt
        return self._ledger.report(number, result, NOWHERE, attempt=attempt)

    def _outcome(self) -> Outcome:
        idle = self._idle + sum(self._now - since for since in self._idle_since)
        trials = (
            VirtualTrial(
                number=t.number,
                state=t.state,
                epochs=len(t.epochs),
                value=t.value,
                final=self._curves.final(t.params),
            )
            for t in self._ledger.trials
        )
        return Outcome(
            best=self._curves.best,
            trials=tuple(trials),
            duration=self._now,
            utilisation=1 - idle / (self._workers * self._now),
        )


def virtual_result(epoch: int, value: float, *, seconds: float) -> EpochResult:
    """Return what a virtual worker reports.

    Args:
        epoch: from 1.
        value: accuracy after it; fraction.
        seconds: virtual time that it took.
    """
    return EpochResult(
        epoch=epoch,
        train_loss=1 - value,
        val_loss=1 - value,
        val_accuracy=value,
        val_accuracy_raw=value,
        lr=0.0,
        seconds=seconds,
        images_per_second=0.0,
    )


@dataclass(frozen=True, slots=True)
class _Running:
    """A trial that a worker has."""

    suggestion: Suggestion
    values: Sequence[float]
    pace: Sequence[float]
    """Virtual time that each epoch takes."""

    @classmethod
    def begin(cls, suggestion: Suggestion, curves: Curves) -> "_Running":
        noise = np.random.default_rng((suggestion.seed, _VALUES))
        values = curves.observed(suggestion.params, noise)
        times = np.random.default_rng((suggestion.seed, _PACE))
        return cls(suggestion, values, times.uniform(1, SLOWEST, len(values)).tolist())
