"""Several searches at equal effort: who had found what when all had spent so many epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.study.incumbents import Step, incumbents
from search.study.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How one search came to its best."""

    snapshot: Snapshot
    steps: tuple[Step, ...]
    """Each trial that was the best so far when it came to its end."""

    @property
    def epochs(self) -> int:
        """Spent by now, of all trials together."""
        return len(self.snapshot.order)

    @property
    def final(self) -> float | None:
        """The best value by now."""
        return self.steps[-1].value if self.steps else None

    def value_at(self, epochs: int) -> float | None:
        """Return the best value by the time that so many epochs were spent; None before any."""
        return max((step.value for step in self.steps if step.epochs <= epochs), default=None)

    def epochs_to(self, value: float) -> int | None:
        """Return the epochs spent until the best was at least this; None if it never was."""
        return min((step.epochs for step in self.steps if step.value >= value), default=None)


def courses(snapshots: Sequence[Snapshot]) -> list[Course]:
    """Return the course of each study."""
    return [
        Course(snapshot=each, steps=tuple(incumbents(each.trials, each.order)))
        for each in snapshots
    ]


def shared_epochs(found: Sequence[Course]) -> int:
    """Return the epochs that every one of the studies has spent."""
    return min(course.epochs for course in found)


def common_goal(found: Sequence[Course]) -> float | None:
    """Return the highest value that every study has reached; None where one has none."""
    finals = [course.final for course in found if course.final is not None]
    return min(finals) if len(finals) == len(found) else None
