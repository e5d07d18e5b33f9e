"""Studies side by side: the answer in words, whether it is fair, curves, winners, differences."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.study.checks.check import Status
from search.study.checks.wording import called
from search.study.fairness import check_fairness
from search.study.side_by_side import Course, common_goal, courses, shared_epochs
from search.study.snapshot import Snapshot
from search.study.space import differing_keys
from search.view.page.answer import state
from search.view.page.cards import cards
from search.view.page.document import Part, Section, document
from search.view.page.figure import SYMBOLS, Figure, axis, colour, label, layout
from search.view.page.html import Content, Html, escape, note, table, tag
from search.view.page.marks import describe
from search.view.page.staircase import staircase
from search.view.page.units import NONE, Units, duration, setting, units_of

_ROLES = ("complete", "winner", "running", "failed", "pruned")
_DASHES = ("solid", "dash", "dot", "dashdot")
_LUCK = 2 * 2**0.5
"""Standard deviations of a run that two runs of one configuration rarely differ by: 5 in 100."""


def compare_page(snapshots: Sequence[Snapshot]) -> str:
    """Return the page of two studies or more, whole.

    Args:
        snapshots: of studies whose names differ.
    """
    found, units = courses(snapshots), units_of(snapshots[0])
    checks = check_fairness(snapshots)
    is_fair = all(check.status is not Status.FAIL for check in checks)
    return document(
        title=" beside ".join(each.name for each in snapshots),
        lead=_lead(found, units, is_fair=is_fair),
        sections=[
            dataclasses.replace(cards(snapshots[0], checks), title="Is it fair to compare them?"),
            _curves(found, units),
            _cost(found, units),
            _winners(snapshots),
            _differences(snapshots),
        ],
    )


def _lead(found: Sequence[Course], units: Units, *, is_fair: bool) -> Html:
    """Return who is ahead at equal effort, what must be known with it, and the numbers."""
    parts = [tag("p", _verdict(found, units, is_fair=is_fair), class_="verdict")]
    parts += [tag("p", each, class_="caution") for each in _cautions(found, units, is_fair=is_fair)]
    header = ["study", "state", f"at {shared_epochs(found):,} epochs", "at the end",
              "gain in the search", "gain on fresh seeds", "shown to be better"]  # fmt: skip
    rows = [_row(course, shared_epochs(found), units) for course in found]
    return escape([*parts, table(header, rows, numbers=(2, 3, 4, 5))])


def _verdict(found: Sequence[Course], units: Units, *, is_fair: bool) -> str:
    if not is_fair:
        return "These studies do not compare: they were not asked the same."
    epochs = shared_epochs(found)
    values = [(value, c) for c in found if (value := c.value_at(epochs)) is not None]
    if len(values) < len(found):
        having = {course.snapshot.name for _, course in values}
        lacking = [c.snapshot.name for c in found if c.snapshot.name not in having]
        return (
            f"Within the {epochs:,} epochs that all have spent, no trial was complete in "
            f"{', '.join(lacking)}: there is nothing to compare yet."
        )
    (best, ahead), *others = sorted(values, key=lambda pair: -pair[0])
    second, _ = others[0]
    if best == second:
        level = units.value(best)
        return f"At {epochs:,} epochs, which all have spent, the best are level at {level}."
    gain = units.difference(best - second).lstrip("+")
    luck = max((noise for noise, _ in _noises(found)), default=0.0)
    made_by_luck = ", no more than luck makes" if best - second < _LUCK * luck else ""
    return (
        f"At {epochs:,} epochs, which all have spent, {ahead.snapshot.name} is ahead: "
        f"{units.value(best)}, {gain} above the next{made_by_luck}."
    )


def _noises(found: Sequence[Course]) -> list[tuple[float, str]]:
    """Return the standard deviation of one configuration's runs, where a study measured it."""
    confirmed = [(course.snapshot.confirmation, course.snapshot.name) for course in found]
    return [(each.noise, name) for each, name in confirmed if each is not None and each.noise]


def _cautions(found: Sequence[Course], units: Units, *, is_fair: bool) -> Iterator[str]:
    """Yield what must be known beside the verdict."""
    if not is_fair:
        yield "The numbers below stand side by side for reading, not for ranking: see the checks."
    yield (
        "One search each: with another seed the order may turn round. The best of many noisy "
        "values is too high in every study, and the more so the more trials it tried."
    )
    noises = [f"{units.difference(noise).lstrip('+')} in {name}" for noise, name in _noises(found)]
    if noises:
        yield (
            f"Runs of one configuration differ by luck alone, with a standard deviation of "
            f"{', '.join(noises)}: two of them differ by up to three times that."
        )
    if len({_terms(course.snapshot) for course in found}) > 1:
        yield (
            "Not all were confirmed on the same fresh seeds and epochs, so gains on fresh seeds do "
            "not compare."
        )


def _terms(snapshot: Snapshot) -> object:
    """Return what a confirmation ran, if there is one."""
    if snapshot.confirmation is None:
        return None
    terms = snapshot.confirmation.terms
    return tuple(terms.seeds), terms.epochs


def _row(course: Course, epochs: int, units: Units) -> list[Content]:
    """Return a study's line of the table on top."""
    snapshot = course.snapshot
    gain, is_better = _confirmed(snapshot)
    word, _ = state(snapshot)
    return [
        tag("strong", snapshot.name),
        word,
        units.value(course.value_at(epochs)),
        units.value(course.final),
        units.difference(snapshot.progress.gain),
        units.difference(gain),
        {True: "yes", False: "no", None: "not confirmed"}[is_better],
    ]


def _confirmed(snapshot: Snapshot) -> tuple[float | None, bool | None]:
    """Return the winner's gain on fresh seeds, and whether it is shown; None without any."""
    found = snapshot.confirmation
    if found is None:
        return None, None
    return found.best.gain, found.is_better


def _curves(found: Sequence[Course], units: Units) -> Section:
    """Return the best so far of each study by the epochs spent."""
    drawn = [course for course in found if course.steps]
    title = "The best so far, by epochs spent"
    if not drawn:
        parts: list[Part] = [note("No study has a complete trial yet.")]
        return Section(id="curves", title=title, parts=parts, link="Best so far")
    shared, data, labels = shared_epochs(found), list[dict[str, Any]](), list[str]()
    for at, course in enumerate(found):
        data += _line(course, at, units, first_label=len(labels))
        trials = course.snapshot.trials
        labels += [
            f"{label(course.snapshot.name)}: {describe(trials[step.number], units)}"
            for step in course.steps
        ]
    line = {"color": colour("dim"), "width": 1, "dash": "dot"}
    until = {"type": "line", "x0": shared, "x1": shared, "y0": 0, "y1": 1, "yref": "paper"}
    figure = Figure(
        id="compare-curves",
        title=f"The best value of each study by the epochs spent, all until {shared:,}",
        data=data,
        layout=layout(
            axis("epochs spent", rangemode="tozero"),
            axis(units.name, tickformat=units.ticks),
            shapes=[{**until, "line": line}],
        ),
        labels=labels,
    )
    told = f"The dotted line stands at {shared:,} epochs, which every study has spent."
    return Section(id="curves", title=title, parts=[note(told), figure], link="Best so far")


def _line(course: Course, at: int, units: Units, *, first_label: int) -> list[dict[str, Any]]:
    """Return a study's line; none where it has no complete trial."""
    if not course.steps:
        return []
    ink = colour(_ROLES[at % len(_ROLES)])
    return staircase(
        course.steps,
        course.epochs,
        units,
        base={"name": label(course.snapshot.name), "legendgroup": str(at)},
        line={"color": ink, "width": 2.5, "dash": _DASHES[at % len(_DASHES)]},
        marker={"color": ink, "size": 8, "symbol": SYMBOLS[at % len(SYMBOLS)]},
        first_label=first_label,
    )


def _cost(found: Sequence[Course], units: Units) -> Section:
    """Return what each study has spent, and how soon it came to what all have reached."""
    goal = common_goal(found)
    reached = f"epochs to {units.value(goal)}" if goal is not None else "epochs to the goal"
    header = ["study", "trials", "complete", "stopped", "failed", "epochs", reached, "time",
              "epochs of the confirmation"]  # fmt: skip
    rows = [_spent(course, goal) for course in found]
    told = (
        "Time is the search's wall clock, all starts together, on however many workers it had. "
        "The goal is the highest value that every study has reached."
    )
    parts = [note(told), table(header, rows, numbers=range(1, 9))]
    return Section(id="cost", title="What it has cost", parts=parts, link="Cost")


def _spent(course: Course, goal: float | None) -> list[Content]:
    snapshot = course.snapshot
    states, found = snapshot.progress.states, snapshot.confirmation
    soon = course.epochs_to(goal) if goal is not None else None
    return [
        tag("strong", snapshot.name),
        f"{len(snapshot.trials):,}",
        *(f"{states.get(name, 0):,}" for name in ("COMPLETE", "PRUNED", "FAIL")),
        f"{course.epochs:,}",
        NONE if soon is None else f"{soon:,}",
        duration(snapshot.search_seconds),
        NONE if found is None else f"{len(found.runs) * found.terms.epochs:,}",
    ]


def _winners(snapshots: Sequence[Snapshot]) -> Section:
    """Return the settings of the winners side by side, beside the baseline, or each one's."""
    names = dict.fromkeys(name for each in snapshots for name in each.config.space)
    bases = {tuple(each.config.baseline.items()): each for each in snapshots}
    header: list[Content] = ["hyperparameter"]
    for each in snapshots:
        who = "no complete trial" if each.winner is None else called(each.winner)
        header.append([each.name, tag("small", who)])
    header += ["baseline"] if len(bases) == 1 else [f"baseline of {s.name}" for s in bases.values()]
    rows = [
        [
            tag("strong", name),
            *(_setting(each.winner.params if each.winner else {}, name) for each in snapshots),
            *(_setting(each.config.baseline, name) for each in bases.values()),
        ]
        for name in names
    ]
    told = "A dash is a hyperparameter that a study did not search, or has no complete trial for."
    shown = table(header, rows, numbers=range(1, len(header)), class_="winners")
    return Section(
        id="winners", title="The winners' settings", parts=[note(told), shown], link="Winners"
    )


def _setting(params: Mapping[str, float], name: str) -> str:
    return setting(params[name]) if name in params else NONE


def _differences(snapshots: Sequence[Snapshot]) -> Section:
    """Return the keys of the study files that differ."""
    title, differing = "Where the study files differ", differing_keys([s.config for s in snapshots])
    parts: list[Part] = [note("The study files are equal, defaults filled in.")]
    if differing:
        told = "Each key whose value is not the same in all, defaults filled in."
        rows = [[tag("strong", key), *values] for key, values in differing.items()]
        parts = [note(told), table(["key", *(each.name for each in snapshots)], rows)]
    return Section(id="differences", title=title, parts=parts, link="Differences")
