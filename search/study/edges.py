"""Where the best trials crowd at one end of a range, so that better ones may lie beyond it."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.study.records import TrialRecord, ranked
from search.study.searchable import value_rule
from search.study.sections import Domain
from search.study.space import StudyConfig

OUTER = 0.05
"""Part of a range that is its edge, at each end."""
LEAST_BEST = 3
"""The best are a quarter of the complete trials, and at least so many."""
_QUARTER = 4
_SHARE, _MOST_SHARE = 0.25, 0.5
_PARTS = (0.5, 0.25, 0.125, 0.0625)  # of a range, by which it might be wider
_MOST_FACTOR = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """One end of a range at which some of the best trials lie."""

    name: str
    """Of the hyperparameter."""
    domain: Domain
    is_upper: bool
    num_there: int
    """Of the best trials."""
    num_best: int
    winner: float | None
    """The winner's value if it lies there too."""

    @property
    def is_crowded(self) -> bool:
        """Whether chance would leave fewer there: the winner and others, or most of the best."""
        share = self.num_there / self.num_best
        return self.num_there > 1 and (
            share > _MOST_SHARE or (self.winner is not None and share >= _SHARE)
        )


def edges_of(config: StudyConfig, trials: Sequence[TrialRecord], winner: TrialRecord) -> list[Edge]:
    """Return the ends of ranges at which the winner or any of the best trials lies.

    None where fewer than `LEAST_BEST` trials are complete.

    Args:
        config: of the study.
        trials: of the study.
        winner: that is retrained.
    """
    complete = ranked(trials)
    if len(complete) < LEAST_BEST:
        return []
    best = complete[: max(LEAST_BEST, math.ceil(len(complete) / _QUARTER))]
    found = []
    for name, domain in config.space.items():
        for is_upper in (False, True):
            num_there = sum(_is_there(domain, t.params[name], is_upper=is_upper) for t in best)
            is_winner = _is_there(domain, winner.params[name], is_upper=is_upper)
            edge = Edge(
                name=name,
                domain=domain,
                is_upper=is_upper,
                num_there=num_there,
                num_best=len(best),
                winner=winner.params[name] if is_winner else None,
            )
            found += [edge] * bool(num_there or is_winner)
    return found


def _is_there(domain: Domain, value: float, *, is_upper: bool) -> bool:
    """Return whether a value lies in the outer twentieth of a range, of its logarithms if so drawn.

    Of few whole numbers that is the last one alone.
    """
    if domain.low == domain.high:
        return False
    low, high, at = (math.log(v) if domain.log else v for v in (domain.low, domain.high, value))
    return (high - at if is_upper else at - low) <= OUTER * (high - low)


def wider_bound(config: StudyConfig, edge: Edge) -> float | None:
    """Return where the end of a range might lie instead; None where the setting itself ends there.

    Half a range is added, or a power of ten to a logarithmic one; less where the setting's own
    limits, such as 0 for a share, leave no room for that.
    """
    for bound in _bounds(edge, is_integer=config.is_integer(edge.name)):
        most = config.study.max_epochs
        if not (config.is_seresnet and value_rule(edge.name, bound, max_epochs=most)):
            return bound
    return None


def _bounds(edge: Edge, *, is_integer: bool) -> list[float]:
    """Return where the end of a range might lie, what is liked best first."""
    low, high = edge.domain.low, edge.domain.high
    end, sign = (high, 1) if edge.is_upper else (low, -1)
    if edge.domain.log:
        found = [end * min(_MOST_FACTOR, math.sqrt(high / low)) ** sign]
    else:
        found = [end + sign * part * (high - low) for part in _PARTS]
        found += [0.0] if low > 0 and not edge.is_upper else []
    to_whole = math.ceil if edge.is_upper else math.floor
    rounded = [float(to_whole(v)) if is_integer else float(f"{v:.2g}") for v in found]
    return [value for value in rounded if sign * (value - end) > 0]


def rules_broken_by(config: StudyConfig, edge: Edge, bound: float) -> list[str]:
    """Return which rules of the study file a wider range would break, such as those on rungs."""
    low, high = (edge.domain.low, bound) if edge.is_upper else (bound, edge.domain.high)
    domain = dataclasses.replace(edge.domain, low=low, high=high)
    try:
        dataclasses.replace(config, space={**config.space, edge.name: domain})
    except ValueError as error:
        return [line for line in str(error).splitlines() if not line.startswith("hint:")]
    return []
