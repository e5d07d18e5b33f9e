"""What a study's settings decide: which trials come first, and which end where."""

from collections.abc import Mapping, Sequence

from search.study.guard import RungChoice, choose_rungs, smoothed
from search.study.records import TrialRecord
from search.study.rungs import is_stopped, rung_epochs
from search.study.space import StudyConfig


class Rules:
    """Baseline and recipes first, then the sampler's trials; those may be stopped at the rungs.

    With `rungs: auto` the first trials by number are exempt, and nobody is stopped before they
    are all at their end: the choice is a function of them, so it is the same whenever it is made.
    """

    def __init__(self, config: StudyConfig) -> None:
        self._config = config
        self._fixed = [("baseline", config.baseline), *config.recipes.items()]
        is_auto = config.pruner.is_auto
        self.num_exempt = max(len(self._fixed), config.pruner.num_exempt if is_auto else 0)
        """First trials, which are never stopped."""
        self._choice: RungChoice | None = None
        self._factor = config.study.reduction_factor
        is_free = is_auto or config.pruner.name == "none"
        self.rungs = [] if is_free else self._rungs_from(config.study.min_epochs)
        """Epochs at which trials are judged, as far as is known by now."""
        self.told: dict[int, Mapping[str, float]] = {}
        """Parameters by trial that a replay takes over instead of deriving them."""

    def name_of(self, number: int) -> str:
        """Return `baseline`, a recipe's name, or nothing for a trial of the sampler's."""
        return self._fixed[number][0] if number < len(self._fixed) else ""

    def given(self, number: int) -> Mapping[str, float] | None:
        """Return the parameters of the baseline or of a recipe; None where the sampler draws."""
        if number in self.told:
            return self.told[number]
        return self._fixed[number][1] if number < len(self._fixed) else None

    def end_after(
        self, trials: Sequence[TrialRecord], record: TrialRecord, epoch: int
    ) -> tuple[str, str] | None:
        """Return state and reason if a trial ends with an epoch, its newest; None if it goes on."""
        if epoch >= self._config.study.max_epochs:
            return "COMPLETE", "max_epochs"
        if self._loses(trials, record, epoch):
            return "PRUNED", f"rung {epoch}"
        return None

    def choice(self, trials: Sequence[TrialRecord]) -> RungChoice | None:
        """Return what the exempt trials say of stopping; None until they are all at their end.

        Also None where the rungs are fixed. An exempt trial that failed has no whole curve.
        """
        exempt = trials[: self.num_exempt]
        is_due = self._config.pruner.is_auto and self._choice is None
        if is_due and len(exempt) == self.num_exempt and all(t.is_finished for t in exempt):
            budget = self._config.study
            whole = [t for t in exempt if t.state == "COMPLETE"]
            self._choice = choose_rungs(
                [_curve(trial, budget.max_epochs) for trial in whole],
                min_epochs=budget.min_epochs,
                reduction_factor=budget.reduction_factor,
            )
            first, self._factor = self._choice.first_rung, self._choice.reduction_factor
            self.rungs = [] if first is None else self._rungs_from(first)
        return self._choice

    def describe_choice(self, trials: Sequence[TrialRecord]) -> str:
        """Return what is known of the rungs, for a person; nothing where they are fixed."""
        if not self._config.pruner.is_auto:
            return ""
        choice = self.choice(trials)
        if choice is not None:
            return choice.sentence
        return f"auto, decided after {self.num_exempt} whole trials"

    def _rungs_from(self, min_epochs: int) -> list[int]:
        """Return the epochs at which trials are judged, the last of all apart."""
        budget = self._config.study
        return rung_epochs(
            min_epochs=min_epochs,
            max_epochs=budget.max_epochs,
            reduction_factor=self._factor,
        )[:-1]

    def _loses(self, trials: Sequence[TrialRecord], record: TrialRecord, epoch: int) -> bool:
        self.choice(trials)
        if epoch not in self.rungs or record.number < self.num_exempt:
            return False
        values = [self._value(trial, epoch) for trial in trials if epoch in trial.epochs]
        own = self._value(record, epoch)
        return is_stopped(own, values, reduction_factor=self._factor)

    def _value(self, trial: TrialRecord, epoch: int) -> float:
        """Return what a trial is judged by at a rung."""
        if not self._config.pruner.is_auto:
            return _accuracy(trial, epoch)
        most = self._config.study.max_epochs
        return smoothed(_curve(trial, epoch), epoch, max_epochs=most)


def _curve(trial: TrialRecord, epochs: int) -> list[float]:
    """Return the values of a trial's first epochs."""
    return [_accuracy(trial, epoch) for epoch in range(1, epochs + 1)]


def _accuracy(trial: TrialRecord, epoch: int) -> float:
    value = trial.epochs[epoch].val_accuracy
    assert value is not None  # Ledger.report refuses such a result
    return value
