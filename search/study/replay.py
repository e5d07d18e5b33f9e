"""A study played again from its own record: every suggestion and every stop, derived anew."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial

from search.study.events import Event, find_damage, history
from search.study.header import STUDY_NAME, load_study, stored_config
from search.study.ledger import Ledger
from search.study.records import Host, Suggestion, TrialRecord, read_record
from search.study.space import StudyConfig
from seresnet.epoch import EpochResult

# Another processor's logarithm may differ in the last bit; a changed value differs by far more.
_RELATIVE = 1e-9
_LOOKS = 3  # at a study that may be written to meanwhile
_NOWHERE = Host(node="", device="", dtype="", threads=0)


@dataclass(kw_only=True, slots=True)
class Verdict:
    """What a replay has found."""

    num_trials: int
    """Suggestions that the study holds."""
    num_epochs: int
    """Decisions that the study holds: one an epoch, to go on or to stop."""
    num_suggestions: int = 0
    """Derived again and found equal."""
    num_decisions: int = 0
    """Derived again and found equal."""
    num_told: int = 0
    """Suggestions that were taken over as they are, for want of time."""
    is_exact: bool = True
    """Whether all numbers were equal to the last bit."""
    difference: str = ""
    """The first difference, empty where there is none."""


def replay(
    storage: BaseStorage,
    *,
    study_name: str = STUDY_NAME,
    observe: Callable[[int, int], object] = lambda done, total: None,
    seconds: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Play a study again, in memory, in the order of its events; stop at the first difference.

    A suggestion depends on all that was stored before it, so after a difference nothing that
    follows could be judged.

    Args:
        storage: of the study; only read.
        study_name: inside the storage.
        observe: called with (events done, events in all).
        seconds: after which suggestions are no longer derived, but taken over; a Gaussian process
            takes a second for each, the decisions on a thousand trials take a few in all.
        clock: seconds that never go back.

    Raises:
        DamagedStudyError: the storage holds no such study, or it cannot be read.
    """
    study = load_study(storage, study_name)
    config = stored_config(study)
    trials, damage = _read(study)
    events = history(trials)
    kinds = Counter(event.kind for event in events)
    verdict = Verdict(num_trials=kinds["ask"], num_epochs=kinds["epoch"], difference=damage)
    if not damage:
        made = [read_record(trial) for trial in trials]
        twin = _twin(config, kinds["ask"])
        until = clock() + seconds
        _play(made, twin, events, verdict, observe, lambda: clock() > until)
        verdict.difference = verdict.difference or _other_rungs(study.user_attrs, twin)
    return verdict


def _read(study: optuna.Study) -> tuple[list[FrozenTrial], str]:
    """Return the trials of a study, which a driver may be writing, and their first damage.

    Optuna reads attributes and values one after the other; what came in between looks like damage,
    and is gone at a second look.
    """
    for _ in range(_LOOKS):
        trials = study.get_trials(deepcopy=False)
        damage = next(find_damage(trials), "")
        if not damage:
            break
    return trials, damage


def _twin(config: StudyConfig, num_trials: int) -> Ledger:
    """Return a new study in memory with the same settings, and room for all that was asked."""
    # What it may cost changes from start to start, and decides how much is asked, never what.
    num_trials = max(num_trials, config.study.num_trials)
    budget = replace(config.study, num_trials=num_trials, max_total_epochs="none", max_hours="none")
    return Ledger.open(InMemoryStorage(), replace(config, study=budget))


def _play(
    made: Sequence[TrialRecord],
    twin: Ledger,
    events: list[Event],
    verdict: Verdict,
    observe: Callable[[int, int], object],
    is_late: Callable[[], bool],
) -> None:
    attempts: dict[int, int] = {}
    for event in events:
        if event.kind == "ask":
            if is_told := event.number == len(twin.trials) and is_late():
                twin.rules.told[event.number] = made[event.number].params
            suggestion = twin.suggest()
            assert suggestion is not None  # the twin is allowed as many as were asked for
            attempts[suggestion.number] = suggestion.attempt
            verdict.difference = _other_suggestion(made, twin, event, suggestion, verdict)
            verdict.num_told += is_told
            verdict.num_suggestions += not (is_told or verdict.difference)
        elif event.kind == "epoch":
            result = EpochResult(**event.content)
            twin.report(event.number, result, _NOWHERE, attempt=attempts[event.number])
            verdict.difference = _other_decision(made, twin, event, event is events[-1])
            verdict.num_decisions += not verdict.difference
        elif event.kind == "end":
            content = event.content
            if content["state"] == "FAIL":
                twin.fail(event.number, kind=content["error_kind"], error=content["error"])
            verdict.difference = _other_end(twin, event)
        observe(event.seq, len(events))
        if verdict.difference:
            return


def _other_suggestion(
    made: Sequence[TrialRecord],
    twin: Ledger,
    event: Event,
    suggestion: Suggestion,
    verdict: Verdict,
) -> str:
    """Return in what a suggestion differs from the one that was made, or nothing."""
    if suggestion.number != event.number:
        return f"{event.place}: t{suggestion.number:04d} would be suggested here"
    first, again = made[event.number], twin.trials[event.number]
    if (first.name, first.seed) != (again.name, again.seed):
        return f"{event.place}: seed {again.seed} and name {again.name!r} would be given here"
    for name, value in first.params.items():
        derived = again.params.get(name)
        if derived is None or not math.isclose(value, derived, rel_tol=_RELATIVE, abs_tol=0):
            return f"{event.place}: {name} {derived!r} would be suggested, {value!r} was"
        verdict.is_exact &= value == derived
    return ""


def _other_decision(
    made: Sequence[TrialRecord], twin: Ledger, event: Event, is_newest: bool
) -> str:
    """Return in what the decision after an epoch differs from the one that was made."""
    first, again = made[event.number], twin.trials[event.number]
    if is_newest and not first.stop_reason:
        return ""  # the next start decides
    # That a trial was paused was no decision on its values: the rules let it go on.
    is_ended = first.stop_reason and not first.error_kind and not first.is_paused
    was_last = event.epoch == max(first.epochs) and is_ended
    if was_last and first.stop_reason != again.stop_reason:
        decided = again.stop_reason or "to go on"
        return f"{event.place}: ended by {first.stop_reason}, the rules say {decided}"
    if again.is_finished and not was_last:
        return f"{event.place}: went on, the rules say {again.stop_reason}"
    return ""


def _other_end(twin: Ledger, event: Event) -> str:
    again = twin.trials[event.number]
    if again.state != event.content["state"]:
        return f"{event.place}: ended as {event.content['state']}, the rules say {again.state}"
    return ""


def _other_rungs(attributes: Mapping[str, Any], twin: Ledger) -> str:
    """Return in what the rungs chosen from whole curves differ from those that were kept."""
    kept, choice = attributes.get("rungs"), twin.rules.choice(twin.trials)
    if kept is None or (choice is not None and kept["first_rung"] == choice.first_rung):
        return ""  # a kill between the last exempt trial's end and its choice leaves none kept
    derived = "no choice yet" if choice is None else choice.sentence
    return f"rungs: {kept['sentence']!r} was chosen, the rules say {derived!r}"


def describe(verdict: Verdict) -> str:
    """Return the verdict in a line."""
    counts = (
        f"{verdict.num_suggestions}/{verdict.num_trials} suggestions, "
        f"{verdict.num_decisions}/{verdict.num_epochs} decisions identical"
    )
    if verdict.difference:
        return f"{counts}, then: {verdict.difference}"
    if verdict.num_told:
        counts += f"; {verdict.num_told} suggestions taken over, not derived, for want of time"
    if not verdict.is_exact:
        return f"{counts} (to nine digits: this processor rounds otherwise)"
    return counts
