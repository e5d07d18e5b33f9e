"""The ablation of a study's winner: its runs, its table, its verdict."""

import dataclasses
from collections.abc import Mapping

from search.engine.contest import carry_out, is_done, jobs_of, outcome
from search.engine.grants import Grant
from search.engine.retraining import Job, Observer
from search.results import write_effects
from search.study.ablation import (
    BASELINE,
    REDUCED,
    WINNER,
    Ablation,
    Outcome,
    conclude,
    find_effects,
    reduce,
    variants,
)
from search.study.contest import Run
from search.study.dataset import Dataset
from search.study.errors import UnfinishedError
from search.study.folder import StudyFolder
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.sealed import write_sealed


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How a winner is taken apart."""

    winner: TrialRecord
    seeds: tuple[int, ...]
    epochs: int


def ablate_winner(
    folder: StudyFolder,
    ledger: Ledger,
    dataset: Dataset,
    plan: Plan,
    granted: Grant,
    observer: Observer,
) -> Ablation:
    """Train the winner without each of its differences from the baseline; write the tables.

    Raises:
        UnfinishedError: the winner diverged, or a worker died more than twice.
        DamagedStudyError: what a finished run left behind is damaged.
        MachineError: a run could not read or write its files.
    """
    stage = _Stage(folder, ledger, dataset, plan, granted, observer)
    winner, baseline = plan.winner.params, ledger.trials[0].params
    known = variants(winner, baseline)
    outcomes = stage.outcomes(known)
    if isinstance(error := outcomes[WINNER], str):
        raise UnfinishedError(
            f"{folder.ablate}: the winner {plan.winner.id} {error}",
            "choose other --seeds: without the winner there is nothing to compare with",
        )
    effects = find_effects(winner, baseline, outcomes)
    recipe = reduce(winner, baseline, effects)
    if recipe not in known.values():
        outcomes |= stage.outcomes({REDUCED: recipe})
    ablation = conclude(ledger, plan.winner, stage.runs, outcomes, effects)
    write_effects(folder.path / "ablate.csv", ablation)
    write_sealed(ablation, folder.ablation)
    return ablation


@dataclasses.dataclass(frozen=True, slots=True)
class _Stage:
    """Variants on their way through Ray; runs that the confirmation made serve again."""

    folder: StudyFolder
    ledger: Ledger
    dataset: Dataset
    plan: Plan
    granted: Grant
    observer: Observer
    runs: list[Run] = dataclasses.field(default_factory=list)

    def outcomes(self, params: Mapping[str, Mapping[str, float]]) -> dict[str, Outcome]:
        """Train variants with each seed and return what came out."""
        plan, make = self.plan, self.ledger.config.trial_config
        runs = [
            Run(name, seed, make(each, epochs=plan.epochs, seed=seed))
            for seed in plan.seeds
            for name, each in params.items()
        ]
        self.runs.extend(runs)
        jobs = self._jobs(runs)
        carry_out(jobs, self.dataset, self.granted, self.observer)
        found: dict[str, list[float | str]] = {name: [] for name in params}
        for run, job in zip(runs, jobs, strict=True):
            found[run.who].append(outcome(job))
        return {name: _joined(each) for name, each in found.items()}

    def _jobs(self, runs: list[Run]) -> list[Job]:
        """Return a job a run: that of the confirmation where it is the same and done."""
        facts: dict[str, object] = {"study": self.ledger.id, "purpose": "ablate"}
        ids = {WINNER: self.plan.winner.id, BASELINE: self.ledger.trials[0].id}
        twins = [dataclasses.replace(run, who=ids.get(run.who, run.who)) for run in runs]
        own = jobs_of(runs, self.folder.ablate, self.dataset, facts)
        confirmed = jobs_of(twins, self.folder.confirm, self.dataset, facts)
        pairs = zip(own, confirmed, strict=True)
        return [theirs if is_done(theirs) else ours for ours, theirs in pairs]


def _joined(outcomes: list[float | str]) -> Outcome:
    """Return a variant's accuracies, or how it diverged."""
    errors = [each for each in outcomes if isinstance(each, str)]
    return errors[0] if errors else [each for each in outcomes if not isinstance(each, str)]
