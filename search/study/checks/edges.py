"""Does the best lie at the edge of a range, so that better may lie beyond?"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.study.checks.check import Check, Status
from search.study.checks.wording import count
from search.study.records import TrialRecord
from search.study.searchable import value_rule
from search.study.sections import Domain
from search.study.snapshot import Snapshot
from search.study.space import StudyConfig

_NAME = "best at the edge of a range"
_OUTER = 0.05
_TOP, _LEAST_TOP = 4, 3  # a quarter of the complete trials, and at least three
_SHARE, _MOST_SHARE = 0.25, 0.5
_PARTS = (0.5, 0.25, 0.125, 0.0625)  # of a range, by which it might be wider
_MOST_FACTOR = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edge:
    """One end of a range at which some of the best trials lie."""

    name: str
    domain: Domain
    is_upper: bool
    num_there: int
    """Of the best trials."""
    num_best: int
    winner: float | None
    """The winner's value if it lies there too."""

    @property
    def is_suspect(self) -> bool:
        """Whether more lie there than chance would leave: the winner and others, or most."""
        share = self.num_there / self.num_best
        return self.num_there > 1 and (
            share > _MOST_SHARE or (self.winner is not None and share >= _SHARE)
        )

    @property
    def place(self) -> str:
        """For a person."""
        end = "highest" if self.is_upper else "lowest"
        return f"the {end} {_OUTER:.0%} of {self.domain.low:g} to {self.domain.high:g}"


def check_edges(snapshot: Snapshot) -> Check:
    """Look for the best trials in the outer twentieth of each range."""
    complete = [t for t in snapshot.trials if t.state == "COMPLETE" and t.value is not None]
    winner = snapshot.winner
    if winner is None or len(complete) < _LEAST_TOP:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"{count(len(complete), 'complete trial')} cannot tell: it takes {_LEAST_TOP}",
            advice="look again when more are complete",
        )
    best = sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))
    best = best[: max(_LEAST_TOP, math.ceil(len(complete) / _TOP))]
    edges = list(_edges(snapshot.config, winner, best))
    suspects = {each.name: each for each in edges if each.is_suspect}
    wider = {name: _wider(snapshot.config, each) for name, each in suspects.items()}
    told = [_describe(each, winner, is_limit=not wider[name]) for name, each in suspects.items()]
    told += [_describe_alone(each, winner) for each in edges if not each.is_suspect]
    if not any(told):
        told = [f"{winner.id}, the winner, lies inside every range, as do the best {len(best)}"]
    open_ = list(filter(None, wider.values()))
    advice = f"{'; '.join(open_)}, and search again under another --name" if open_ else ""
    return Check(
        name=_NAME,
        status=Status.WARNING if open_ else Status.PASS,
        sentence="; ".join(filter(None, told)),
        advice=advice,
    )


def _edges(
    config: StudyConfig, winner: TrialRecord, best: Sequence[TrialRecord]
) -> Iterator[_Edge]:
    """Yield the ends of ranges at which the winner or any of the best trials lies."""
    for name, domain in config.space.items():
        for is_upper in (False, True):
            num_there = sum(_is_there(domain, t.params[name], is_upper=is_upper) for t in best)
            is_winner = _is_there(domain, winner.params[name], is_upper=is_upper)
            if num_there or is_winner:
                yield _Edge(
                    name=name,
                    domain=domain,
                    is_upper=is_upper,
                    num_there=num_there,
                    num_best=len(best),
                    winner=winner.params[name] if is_winner else None,
                )


def _is_there(domain: Domain, value: float, *, is_upper: bool) -> bool:
    """Return whether a value lies in the outer twentieth of a range, of its logarithms if so drawn.

    Of few whole numbers that is the last one alone.
    """
    if domain.low == domain.high:
        return False
    low, high, at = (math.log(v) if domain.log else v for v in (domain.low, domain.high, value))
    return (high - at if is_upper else at - low) <= _OUTER * (high - low)


def _wider(config: StudyConfig, edge: _Edge) -> str:
    """Return how to widen a range at one end; nothing where the setting has its limit there."""
    most, key = config.study.max_epochs, f"space.{edge.name}.{'high' if edge.is_upper else 'low'}"
    for bound in _bounds(edge, is_integer=config.is_integer(edge.name)):
        if not (config.is_seresnet and value_rule(edge.name, bound, max_epochs=most)):
            return f"set {key} to {bound:g}{_also(config, edge, bound)}"
    return ""


def _bounds(edge: _Edge, *, is_integer: bool) -> list[float]:
    """Return where the end of a range might lie, the widest first."""
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


def _also(config: StudyConfig, edge: _Edge, bound: float) -> str:
    """Return which rules of the study file a wider range breaks, for what has to follow."""
    low, high = (edge.domain.low, bound) if edge.is_upper else (bound, edge.domain.high)
    domain = dataclasses.replace(edge.domain, low=low, high=high)
    try:
        dataclasses.replace(config, space={**config.space, edge.name: domain})
    except ValueError as error:
        rules = [line for line in str(error).splitlines() if not line.startswith("hint:")]
        told = [rule.partition(",")[0].replace(": must", " must then", 1) for rule in rules]
        return f" ({', '.join(told)})"
    return ""


def _describe(edge: _Edge, winner: TrialRecord, *, is_limit: bool) -> str:
    who = f"{edge.num_there} of the best {edge.num_best} trials"
    if edge.winner is not None:
        who += f", {winner.id} with {edge.winner:.2g} among them," * bool(edge.num_there)
    text = f"{edge.name}: {who} lie in {edge.place}"
    return f"{text}, where the setting itself ends" if is_limit else text


def _describe_alone(edge: _Edge, winner: TrialRecord) -> str:
    """Return that the winner lies at an end where hardly anyone else does."""
    if edge.winner is None:
        return ""
    alone = f"{edge.num_there} of the best {edge.num_best} do, as by chance"
    return f"{edge.name}: {winner.id} lies in {edge.place} with {edge.winner:.2g}, but {alone}"
