"""Does the best lie at the edge of a range, so that better may lie beyond?"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.study.checks.check import Check, Status
from search.study.records import TrialRecord
from search.study.searchable import value_rule
from search.study.sections import Domain
from search.study.snapshot import Snapshot
from search.study.space import StudyConfig

_NAME = "best at the edge of a range"
_OUTER = 0.05
_TOP, _LEAST_TOP = 4, 3  # a quarter of the complete trials, and at least three
_SHARE, _MOST_SHARE = 0.25, 0.5
_FACTORS = (0.5, 0.25, 0.125, 0.0625)  # of a range, by which it might be wider


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edge:
    """One end of a range."""

    name: str
    is_upper: bool
    num_there: int
    """Of the best trials."""
    num_best: int
    has_winner: bool

    @property
    def is_suspect(self) -> bool:
        """Whether more lie there than chance would leave: it takes two, the winner or a majority."""
        share = self.num_there / self.num_best
        return self.num_there > 1 and ((self.has_winner and share >= _SHARE) or share > _MOST_SHARE)


def check_edges(snapshot: Snapshot) -> Check:
    """Look for the best trials in the outer twentieth of each range."""
    complete = [t for t in snapshot.trials if t.state == "COMPLETE" and t.value is not None]
    winner = snapshot.winner
    if winner is None or len(complete) < _LEAST_TOP:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"{len(complete)} complete trials cannot tell: at least {_LEAST_TOP} can",
            advice="look again when more trials are complete",
        )
    best = sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))
    best = best[: max(_LEAST_TOP, math.ceil(len(complete) / _TOP))]
    edges = _edges(snapshot.config, winner, best)
    suspects = [each for each in edges if each.is_suspect]
    wider = {each: _wider(snapshot.config, each) for each in suspects}
    open_ = [each for each in suspects if wider[each]]
    told = [_describe(snapshot.config, each, winner, bool(wider[each])) for each in suspects]
    told += [
        _describe_alone(each, winner) for each in edges if each.has_winner and not each.is_suspect
    ]
    if not told:
        sentence = f"{winner.id} lies inside every range, and so do most of the best {len(best)}"
        return Check(name=_NAME, status=Status.PASS, sentence=sentence)
    advice = "; ".join(wider[each] for each in open_)
    if advice:
        advice += ": another space is another study, so give it another --name"
    return Check(
        name=_NAME,
        status=Status.WARNING if open_ else Status.PASS,
        sentence="; ".join(told),
        advice=advice,
    )


def _edges(config: StudyConfig, winner: TrialRecord, best: Sequence[TrialRecord]) -> list[_Edge]:
    """Return the ends of ranges at which any of the best trials lies."""
    found = []
    for name, domain in config.space.items():
        for is_upper in (False, True):
            at = [_is_there(domain, t.params[name], is_upper=is_upper) for t in best]
            has_winner = _is_there(domain, winner.params[name], is_upper=is_upper)
            if domain.low < domain.high and (any(at) or has_winner):
                edge = _Edge(
                    name=name, is_upper=is_upper, num_there=sum(at), num_best=len(best),
                    has_winner=has_winner,
                )  # fmt: skip
                found.append(edge)
    return found


def _is_there(domain: Domain, value: float, *, is_upper: bool) -> bool:
    """Return whether a value lies in the outer twentieth of a range, by logarithms where those are
    uniform; of a few whole numbers that is the last one alone.
    """
    if domain.low == domain.high:
        return False
    low, high, at = (math.log(v) if domain.log else v for v in (domain.low, domain.high, value))
    away = (high - at if is_upper else at - low) / (high - low)
    return away <= _OUTER


def _wider(config: StudyConfig, edge: _Edge) -> str:
    """Return how to widen a range at one end; nothing where the setting has its limit there."""
    domain = config.space[edge.name]
    for bound in _bounds(domain, is_upper=edge.is_upper, is_integer=config.is_integer(edge.name)):
        most = config.study.max_epochs
        if config.is_seresnet and value_rule(edge.name, bound, max_epochs=most):
            continue
        key = f"space.{edge.name}.{'high' if edge.is_upper else 'low'}"
        return f"set {key} to {bound:g}" + _also(config, edge, bound)
    return ""


def _bounds(domain: Domain, *, is_upper: bool, is_integer: bool) -> list[float]:
    """Return where the end of a range might lie, the widest first."""
    low, high = domain.low, domain.high
    sign = 1 if is_upper else -1
    end = high if is_upper else low
    if domain.log:
        factor = min(10.0, math.sqrt(high / low))
        found = [end * factor**sign]
    else:
        found = [end + sign * (high - low) * part for part in _FACTORS]
        found += [0.0] if low > 0 and not is_upper else []
    rounded = [_short(each) for each in found]
    if is_integer:
        rounded = [float(math.ceil(each) if is_upper else math.floor(each)) for each in found]
    return [each for each in rounded if (each > end if is_upper else each < end)]


def _short(value: float) -> float:
    """Return a value to two digits."""
    return float(f"{value:.2g}")


def _also(config: StudyConfig, edge: _Edge, bound: float) -> str:
    """Return which other key has to follow, or nothing."""
    domain = config.space[edge.name]
    wider = dataclasses.replace(domain, **{"high" if edge.is_upper else "low": bound})
    try:
        dataclasses.replace(config, space={**config.space, edge.name: wider})
    except ValueError as error:
        problem = str(error).partition("\n")[0]
        return f" (then {problem.partition(', got')[0]})"
    return ""


def _describe(config: StudyConfig, edge: _Edge, winner: TrialRecord, can_widen: bool) -> str:
    domain = config.space[edge.name]
    end = f"the {'upper' if edge.is_upper else 'lower'} end of {domain.low:g} to {domain.high:g}"
    who = f"{edge.num_there} of the best {edge.num_best} lie"
    text = f"{edge.name}: {who} at {end}"
    if edge.has_winner:
        text += f", {winner.id} at {winner.params[edge.name]:.4g}"
    return text if can_widen else f"{text}, its natural limit, which cannot be widened"


def _describe_alone(edge: _Edge, winner: TrialRecord) -> str:
    return (
        f"{winner.id} has {edge.name} {winner.params[edge.name]:.4g}, at an end of its range, but "
        f"{edge.num_there} of the best {edge.num_best} lie there, as chance would have it"
    )
