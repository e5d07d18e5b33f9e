"""A study at one moment, for those who only look: reports, cards, lists. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from optuna.storages import BaseStorage

from search.study.ablation import Ablation
from search.study.confirmation import Confirmation
from search.study.events import order_of
from search.study.folder import StudyFolder
from search.study.header import load_study, refuse_damage
from search.study.ledger import Ledger
from search.study.progress import Progress, progress_of
from search.study.reading import read, without_collections
from search.study.records import TrialRecord, baseline_value, incumbent
from search.study.space import StudyConfig
from search.study.winner import ablation_of, confirmation_of, winner


@dataclass(frozen=True, slots=True)
class Span:
    """When a trial ran, in the driver's local time; pauses and interruptions lie within."""

    start: datetime
    end: datetime | None
    """None while it runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What a study holds, and what is known of its winner."""

    id: str
    folder: StudyFolder
    config: StudyConfig
    trials: Sequence[TrialRecord]
    """By number; never changed."""
    order: Sequence[tuple[int, int]]
    """(trial number, epoch) of each result, as they came in."""
    spans: Mapping[int, Span]
    """By trial number."""
    search_seconds: float
    """Wall clock of the search, all starts together."""
    progress: Progress
    confirmation: Confirmation | None
    """Of the study's present state."""
    ablation: Ablation | None
    """Of the present winner."""
    winner: TrialRecord | None
    """The trial that is, or would be, retrained; None without a complete one."""
    images: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the parts, `train_sha256` and `val_sha256`; empty where they were not kept."""

    @property
    def name(self) -> str:
        """Of the study: its folder's."""
        return self.folder.path.resolve().name

    @property
    def incumbent(self) -> TrialRecord | None:
        """The best trial at full budget."""
        return incumbent(self.trials)

    @property
    def baseline(self) -> float | None:
        """The baseline's validation accuracy at full budget, a fraction."""
        return baseline_value(self.trials)

    @property
    def num_val(self) -> int:
        """Validation images that each trial is judged on."""
        return self.config.data.num_val


def take_snapshot(folder: StudyFolder, flag: str | None = None) -> Snapshot:
    """Read a study, which another process may be driving.

    Args:
        folder: of the study.
        flag: the value of `--storage`.

    Raises:
        DataError: the folder holds no study.
        DamagedStudyError: it holds something else than was stored.
        UserError: its database cannot be read.
    """
    with read(folder, flag) as (storage, name):
        return snapshot_of(folder, storage, name)


def snapshot_of(folder: StudyFolder, storage: BaseStorage, name: str) -> Snapshot:
    """Return what a storage that `search.study.reading.read` has opened holds of a study.

    Args:
        folder: of the study.
        storage: opened.
        name: of the study there.

    Raises:
        DamagedStudyError: it holds something else than was stored.
    """
    with without_collections():
        study = load_study(storage, name)
        refuse_damage(study)
        ledger = Ledger.load(storage, study_name=name)
        stored = study.get_trials(deepcopy=False)
        best = winner(folder, ledger) if incumbent(ledger.trials) is not None else None
        return Snapshot(
            id=ledger.id,
            folder=folder,
            config=ledger.config,
            trials=ledger.trials,
            order=order_of(stored),
            spans={
                trial.number: Span(trial.datetime_start, trial.datetime_complete)
                for trial in stored
                if trial.datetime_start is not None
            },
            search_seconds=ledger.limits.seconds,
            progress=progress_of(ledger),
            confirmation=confirmation_of(folder, ledger),
            ablation=ablation_of(folder, ledger, best) if best is not None else None,
            winner=best,
            images=study.user_attrs.get("images", {}),
        )
