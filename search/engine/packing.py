"""How many trials share a GPU: what makes most images a second within memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import ceil, floor
from typing import Any

from search.engine.mps import Daemon, MpsRefusedError

CANDIDATES = (1, 2, 4, 8)
"""Trials on one GPU that are tried."""
NOISE = 0.03
"""Two throughputs closer than this are taken for equal, as a fraction of the larger."""
MOST_MEMORY = 0.9
"""Of the device's memory: more leaves no room for what a measurement does not see."""

_TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Row:
    """What so many trials on one GPU made together."""

    trials: int
    is_mps: bool = False
    images_per_second: float = 0.0
    """Of all of them; 0 where they did not get that far."""
    memory_used: float = 0.0
    """Of the whole device, by whomever; GiB."""
    memory_total: float = 0.0
    """GiB; 0 where unknown."""
    problem: str = ""
    """What ended it; empty if nothing did."""

    @property
    def is_possible(self) -> bool:
        """Whether a search may run so."""
        has_room = self.memory_used <= MOST_MEMORY * self.memory_total
        return not self.problem and has_room and self.images_per_second > 0

    def __str__(self) -> str:
        name = f"{self.trials} on a GPU{' with MPS' if self.is_mps else ''}"
        if self.problem:
            return f"{name}: {self.problem}"
        full = "" if self.is_possible else ", too full"
        memory = f"{self.memory_used:.1f} of {self.memory_total:.1f} GiB{full}"
        return f"{name}: {self.images_per_second:,.0f} images/s, {memory}"


Measure = Callable[[int, str | None], Row]
"""Measures so many trials on one GPU, with the MPS daemon behind a pipe or without."""


def choose(rows: Iterable[Row]) -> Row | None:
    """Return the row with most images a second; of equal ones the fewest trials, without MPS.

    None where no row is possible.
    """
    possible = [row for row in rows if row.is_possible]
    best = max((row.images_per_second for row in possible), default=0.0)
    equal = [row for row in possible if row.images_per_second >= (1 - NOISE) * best]
    return min(equal, key=lambda row: (row.trials, row.is_mps), default=None)


def candidates(
    nodes: Sequence[Mapping[str, float]], *, cpus: float, concurrent: int
) -> tuple[int, ...]:
    """Return how many trials on one GPU are worth a try; one always is.

    Args:
        nodes: what each machine has, in Ray's names.
        cpus: of a trial.
        concurrent: trials that can ever run at once; packing leaves no GPU idle for their sake.
    """
    gpus = [(floor(node.get("GPU", 0)), node.get("CPU", 0)) for node in nodes]
    by_cpu = max((floor(have / num / cpus + 1e-9) for num, have in gpus if num), default=0)
    by_need = ceil(concurrent / max(1, sum(num for num, _ in gpus)))
    return tuple(k for k in CANDIDATES if k == 1 or k <= min(by_cpu, by_need))


@dataclass(frozen=True, slots=True)
class Packing:
    """A measurement, and what it was of."""

    gpu: str
    """Its name."""
    shape: dict[str, Any]
    """What sets a trial's speed beside the GPU."""
    candidates: tuple[int, ...]
    """Trials on one GPU that could be tried."""
    rows: tuple[Row, ...] = ()
    mps: str = _TRIED
    """`tried`, or why not."""
    measured: str = ""
    """When; UTC, ISO 8601."""
    is_reused: bool = False
    """Whether an earlier start has measured."""

    @property
    def choice(self) -> Row:
        """How the search runs: one trial a GPU where nothing was possible."""
        rows = [row for row in self.rows if self.mps == _TRIED or not row.is_mps]
        return choose(rows) or Row(1)

    def as_record(self) -> dict[str, Any]:
        """Return it as plain JSON values, and the choice that follows from it."""
        return {
            **asdict(self),
            "candidates": list(self.candidates),
            "rows": [asdict(row) for row in self.rows],
            "choice": {"trials": self.choice.trials, "is_mps": self.choice.is_mps},
        }


def settle(
    wanted: Packing,
    earlier: Iterable[object],
    daemon: Daemon,
    measure: Measure,
    note: Callable[[str], object],
) -> tuple[Packing, str | None]:
    """Return how trials are packed, and the pipe of the MPS daemon they need, if any.

    Args:
        wanted: without rows.
        earlier: records of earlier starts, newest first; the first of the same GPU, shape and
            candidates is taken over, and nothing is measured.
        daemon: started if its use is worth a try; left running if the choice needs it.
        measure: of one candidate.
        note: is told how it goes, a line at a time.
    """
    known = (_read(record) for record in earlier)
    packing = next((each for each in known if each and _is_of(each, wanted)), None)
    if packing is None:
        packing = _measured(wanted, daemon, measure, note)
    pipe = None
    if packing.choice.is_mps:
        try:
            pipe = daemon.start()
        except MpsRefusedError as refused:
            packing = replace(packing, mps=str(refused))
    if pipe is None:
        daemon.stop()
    when = f", as measured on {packing.measured}" if packing.is_reused else ""
    note(f"trials a GPU: going on with {packing.choice}{when}")
    return packing, pipe


def _measured(
    wanted: Packing, daemon: Daemon, measure: Measure, note: Callable[[str], object]
) -> Packing:
    """Return `wanted` with its rows."""
    packing = replace(wanted, measured=datetime.now(UTC).isoformat(timespec="seconds"))
    tried = ", ".join(map(str, wanted.candidates))
    note(f"trials a GPU: trying {tried} on one {wanted.gpu}; --gpus-per-trial saves the time")
    pipes: list[str | None] = [None]
    try:
        pipes.append(daemon.start())
    except MpsRefusedError as refused:
        packing = replace(packing, mps=str(refused))
        note(f"trials a GPU: MPS {refused}")
    for trials in wanted.candidates:
        before = choose(packing.rows)
        for pipe in pipes if trials > 1 else pipes[:1]:  # one alone has nobody to share with
            row = measure(trials, pipe)
            note(f"trials a GPU: {row}")
            packing = replace(packing, rows=(*packing.rows, row))
        # A GPU that is full, of work or of memory, stays full: with twice as many on it each is
        # slower still, and a search learns from its trials later.
        if choose(packing.rows) is before:
            break
    return packing


def _is_of(packing: Packing, wanted: Packing) -> bool:
    """Return whether a measurement answers what is wanted; one that found nothing does not."""
    asked = (wanted.gpu, wanted.shape, wanted.candidates)
    return (packing.gpu, packing.shape, packing.candidates) == asked and bool(choose(packing.rows))


def _read(record: object) -> Packing | None:
    """Return what `as_record` gave, or none: people can edit the file that it was read from."""
    try:
        values = dict(record)  # type: ignore[call-overload]
        rows = tuple(Row(**row) for row in values.pop("rows"))
        values.pop("choice", None)  # follows from the rows
        if any(row.is_mps for row in rows):
            values["mps"] = _TRIED  # an earlier start may have had to do without
        values["candidates"] = tuple(values["candidates"])
        packing = Packing(**{**values, "rows": rows, "is_reused": True})
        return packing if packing.choice.trials in CANDIDATES else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
