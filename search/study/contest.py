"""Which configurations meet on fresh seeds: the best of a study, and its baseline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from search.study.records import TrialRecord, ranked
from search.study.space import StudyConfig
from seresnet.config import TrainConfig


class Studied(Protocol):
    """A study's settings and trials: its ledger, or a snapshot."""

    @property
    def config(self) -> StudyConfig:
        """The resolved study file."""

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """By number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a confirmation was asked for; see `sections.ConfirmConfig`."""

    top: int
    seeds: tuple[int, ...]
    epochs: int


@dataclass(frozen=True, slots=True)
class Run:
    """One configuration with one seed."""

    who: str
    """Name of the configuration, such as its trial's."""
    seed: int
    config: TrainConfig

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.who}-seed{self.seed}"


def terms_of(config: StudyConfig) -> Terms:
    """Return what a study file asks for."""
    settings = config.confirm
    return Terms(top=settings.top, seeds=settings.seeds, epochs=config.confirm_epochs)


def entrants(trials: Sequence[TrialRecord], top: int) -> list[TrialRecord]:
    """Return the best configurations at full budget and the baseline, the best first.

    A configuration that several trials share enters once, as the best of them; the baseline always
    enters as trial 0, wherever it stands, and last if it is not among the best.

    Args:
        trials: of the study, trial 0 at least.
        top: how many of the best, the baseline counted where it is one of them.
    """
    baseline = trials[0]
    found: list[TrialRecord] = []
    for trial in ranked(trials):
        if all(trial.params != other.params for other in found):
            found.append(baseline if trial.params == baseline.params else trial)
    best = found[:top]
    return best if baseline in best else [*best, baseline]


def planned(study: Studied, terms: Terms) -> list[Run]:
    """Return every run of a confirmation, seed by seed."""
    chosen = entrants(study.trials, terms.top) if study.trials else []
    return [
        Run(each.id, seed, study.config.trial_config(each.params, epochs=terms.epochs, seed=seed))
        for seed in terms.seeds
        for each in chosen
    ]


def fingerprints(runs: Iterable[Run]) -> dict[str, str]:
    """Return the settings of runs, by name, as hashes."""
    return {run.name: run.config.fingerprint() for run in runs}
