"""What a study's settings decide: which trials come first, and which end where."""

from collections.abc import Mapping, Sequence

from search.study.records import TrialRecord
from search.study.rungs import is_stopped, rung_epochs
from search.study.space import StudyConfig


class Rules:
    """Baseline and recipes first, then the sampler's trials; those may be stopped at the rungs."""

    def __init__(self, config: StudyConfig) -> None:
        self._config = config
        self._fixed = [("baseline", config.baseline), *config.recipes.items()]
        self._rungs = rung_epochs(
            min_epochs=config.study.min_epochs,
            max_epochs=config.study.max_epochs,
            reduction_factor=config.study.reduction_factor,
        )[:-1]

    def name_of(self, number: int) -> str:
        """Return `baseline`, a recipe's name, or nothing for a trial of the sampler's."""
        return self._fixed[number][0] if number < len(self._fixed) else ""

    def given(self, number: int) -> Mapping[str, float] | None:
        """Return the parameters of the baseline or of a recipe; None where the sampler draws."""
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

    def _loses(self, trials: Sequence[TrialRecord], record: TrialRecord, epoch: int) -> bool:
        is_exempt = self.given(record.number) is not None or self._config.pruner.name == "none"
        if epoch not in self._rungs or is_exempt:
            return False
        at_rung = [t.epochs[epoch].val_accuracy for t in trials if epoch in t.epochs]
        values = [value for value in at_rung if value is not None]
        own = record.epochs[epoch].val_accuracy
        assert own is not None  # Ledger.report refuses such a result
        return is_stopped(own, values, reduction_factor=self._config.study.reduction_factor)
