"""Does the best lie at the edge of a range, so that better may lie beyond?"""

from search.study.checks.check import Check, Status
from search.study.checks.wording import count
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
    told += [_describe_alone(each, winner) for each in edges if not each.is_crowded]
    told = list(filter(None, told))
    advice = [_widen(config, each, bound) for each, bound in crowded if bound is not None]
    if not told:
        told = [f"{winner.id}, the winner, lies inside every range, and most of the best with it"]
    return Check(
        name=_NAME,
        status=Status.WARNING if advice else Status.PASS,
        sentence="; ".join(told),
        advice=f"{'; '.join(advice)}: search again under another --name" if advice else "",
    )


def _describe(edge: Edge, winner: TrialRecord, *, is_limit: bool) -> str:
    who = f"{edge.num_there} of the best {edge.num_best} trials"
    if edge.winner is not None:
        who += f" and the winner, {winner.id} with {edge.winner:.2g},"
    return f"{edge.name}: {who} lie in {_place(edge)}" + (
        ", where the setting itself ends" if is_limit else ""
    )


def _describe_alone(edge: Edge, winner: TrialRecord) -> str:
    """Return that the winner lies at an end where hardly anyone else does."""
    if edge.winner is None:
        return ""
    others = f"{edge.num_there} of the best {edge.num_best} do, as chance would have it"
    return f"{edge.name}: {winner.id} lies in {_place(edge)} with {edge.winner:.2g}, but {others}"


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
