"""The event loop: W workers in virtual time, whoever it is that suggests and decides.

As `search.engine.virtual`, which drives our ledger: an epoch takes between 1 and `SLOWEST` units,
and noise and pace of trial k are functions of the seed and of k, so that everybody meets the same
luck. `ours.py` puts the ledger into this loop, and gets what `search.simulate` gets.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from search.engine.virtual import SLOWEST, Curves, Outcome, VirtualTrial
from search.study.samplers import hashed_seed
from search.study.space import StudyConfig

_PACE, _VALUES = 0, 1  # streams of one trial's randomness, as in search.engine.virtual


@dataclass(frozen=True, slots=True)
class Work:
    """What a free worker is to do: begin a trial, or go on with one from its last epoch."""

    number: int
    """Of the trial; one that is begun has the next number."""
    params: Mapping[str, float]


class Peer(Protocol):
    """Who suggests and decides."""

    def suggest(self) -> Work | None:
        """Return what a free worker does next; None to let it wait for another's report."""

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Take the accuracy after an epoch; return whether the trial goes on now.

        A trial that does not go on is given up, or waits until `suggest` names it again: its
        checkpoint is kept, so it is charged for the epochs that it lacks and for no others.
        """


@dataclass(slots=True)
class _Trial:
    params: Mapping[str, float]
    values: Sequence[float]
    """What will be measured after each epoch."""
    pace: Sequence[float]
    """Virtual time that each epoch takes."""
    epochs: int = 0
    """Trained."""
    is_running: bool = False


@dataclass(slots=True)
class Race:
    """One peer's search; the same arguments give the same outcome, if the peer's do.

    Attributes:
        peer: fresh.
        curves: of all trials.
        seed: of noise and pace.
        workers: trials at once.
    """

    peer: Peer
    curves: Curves
    seed: int
    workers: int
    trials: list[_Trial] = field(default_factory=list)
    _ends: list[tuple[float, int, int]] = field(default_factory=list)  # time, trial, epoch
    _idle_since: list[float] = field(default_factory=list)
    _now: float = 0.0
    _idle: float = 0.0

    def run(self, max_epochs_total: int) -> Outcome:
        """Search until so many epochs are trained, all trials together, or nobody has work left.

        What runs when they are spent is cut off. Our ledger knows of them, and begins no trial that
        the rest does not pay for whole.
        """
        self._idle_since = [0.0] * self.workers
        self._occupy()
        for _ in range(max_epochs_total):
            if not self._ends:
                break
            self._now, number, epoch = heapq.heappop(self._ends)
            trial = self.trials[number]
            trial.epochs = epoch
            goes_on = self.peer.report(number, epoch, trial.values[epoch - 1])
            if goes_on and epoch < len(trial.values):
                self._train(number)
            else:
                trial.is_running = False
                self._idle_since.append(self._now)
                self._occupy()
        return self._outcome()

    def _occupy(self) -> None:
        """Let the idle workers ask, until the peer has nothing for them."""
        while self._idle_since and (work := self.peer.suggest()) is not None:
            self._idle += self._now - self._idle_since.pop()
            if work.number == len(self.trials):
                self.trials.append(self._begin(work))
            trial = self.trials[work.number]
            assert not trial.is_running, f"trial {work.number} runs already"
            trial.is_running = True
            self._train(work.number)

    def _begin(self, work: Work) -> _Trial:
        seed = hashed_seed(self.seed, work.number, 1)
        values = self.curves.observed(work.params, np.random.default_rng((seed, _VALUES)))
        times = np.random.default_rng((seed, _PACE))
        return _Trial(work.params, values, times.uniform(1, SLOWEST, len(values)).tolist())

    def _train(self, number: int) -> None:
        trial = self.trials[number]
        end = self._now + trial.pace[trial.epochs]
        heapq.heappush(self._ends, (end, number, trial.epochs + 1))

    def _outcome(self) -> Outcome:
        idle = self._idle + sum(self._now - since for since in self._idle_since)
        return Outcome(
            best=self.curves.best,
            trials=tuple(self._seen(number) for number in range(len(self.trials))),
            duration=self._now,
            utilisation=1 - idle / (self.workers * self._now),
        )

    def _seen(self, number: int) -> VirtualTrial:
        trial = self.trials[number]
        is_whole = trial.epochs == len(trial.values)
        return VirtualTrial(
            number=number,
            state="COMPLETE" if is_whole else "RUNNING" if trial.is_running else "PRUNED",
            epochs=trial.epochs,
            value=trial.values[trial.epochs - 1] if trial.epochs else None,
            final=self.curves.final(trial.params),
        )


def regret(outcome: Outcome, curves: Curves, config: StudyConfig) -> float:
    """Return what the setting a user takes lacks to the best; fraction.

    Args:
        outcome: its best reported value among the trials that were trained to the end counts.
        curves: over the study's space.
        config: its baseline is taken where no trial was, whether the peer tried it or not.
    """
    if outcome.states["COMPLETE"]:
        return outcome.regret
    return curves.best - curves.final(config.baseline)
