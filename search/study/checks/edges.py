"""Does the best lie at the edge of a range, so that better may lie beyond?"""

from search.study.checks.check import Check, Status
from search.study.checks.wording import called, count
from search.study.edges import LEAST_BEST, OUTER, Edge, edges_of, rules_broken_by, wider_bound
from search.study.records import TrialRecord
from search.study.snapshot import Snapshot
from search.study.space import StudyConfig

_NAME = "best at the edge of a range"


def check_edges(snapshot: Snapshot) -> Check:
    """Look for the best trials in the outer twentieth of each range."""
    complete = sum(t.state == "COMPLETE" for t in snapshot.trials)
    config, winner = snapshot.config, snapshot.winner
    if winner is None or complete < LEAST_BEST:
        return Check(
            name=_NAME,
            status=Status.WARNING,
            sentence=f"{count(complete, 'complete trial')} cannot tell: it takes {LEAST_BEST}",
            advice="look again when more are complete",
        )
    edges = edges_of(config, snapshot.trials, winner)
    crowded = [(each, wider_bound(config, each)) for each in edges if each.is_crowded]
    told = [_describe(each, winner, is_limit=bound is None) for each, bound in crowded]
    told += [
        _describe_alone(each, winner, each.winner)
        for each in edges
        # Where the setting itself ends, such as at 0, a lone value says nothing.
        if not each.is_crowded and each.winner is not None and wider_bound(config, each) is not None
    ]
    advice = [_widen(config, each, bound) for each, bound in crowded if bound is not None]
    if not told:
        told = [
            f"the winner, {called(winner)}, lies inside every range, and most of the best with it"
        ]
    return Check(
        name=_NAME,
        status=Status.WARNING if advice else Status.PASS,
        sentence="; ".join(told),
        advice=f"{'; '.join(advice)}: search again under another --name" if advice else "",
    )


def _describe(edge: Edge, winner: TrialRecord, *, is_limit: bool) -> str:
    text = f"{edge.name}: {edge.num_there} of the best {edge.num_best} trials lie in {_place(edge)}"
    if edge.winner is not None:
        text += f", and so does the winner, {called(winner)}, with {edge.winner:.2g}"
    return f"{text}; the setting itself ends there" if is_limit else text


def _describe_alone(edge: Edge, winner: TrialRecord, value: float) -> str:
    """Return that the winner lies at an end where hardly anyone else does."""
    who = f"{called(winner)} lies in {_place(edge)} with {value:.2g}"
    others = f"{edge.num_there} of the best {edge.num_best} do, as chance would have it"
    return f"{edge.name}: {who}, but {others}"


def _place(edge: Edge) -> str:
    end = "highest" if edge.is_upper else "lowest"
    return f"the {end} {OUTER:.0%} of {edge.domain.low:g} to {edge.domain.high:g}"


def _widen(config: StudyConfig, edge: Edge, bound: float) -> str:
    """Return how to widen a range, and what has to follow."""
    text = f"set space.{edge.name}.{'high' if edge.is_upper else 'low'} to {bound:g}"
    rules = [
        rule.partition(",")[0].replace(": must", " must then", 1)
        for rule in rules_broken_by(config, edge, bound)
    ]
    return f"{text} ({', '.join(rules)})" if rules else text
