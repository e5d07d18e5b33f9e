"""The order in which a study came about: whatever is stored has its number and its hash.

An event is a suggestion (`ask`), an epoch's result (`epoch`), the end of a trial (`end`), or its
closing until the budget grows (`pause`), kept as an attribute of its trial: numbered from 1 through
the whole study, without gaps, so that the study's history can be played again; sealed with a
SHA-256 of what was stored, so that a value which was changed afterwards shows.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the reading of results needs no Optuna
    from optuna.trial import FrozenTrial

ASK, END = "ask", "end"
_EPOCH, _PAUSE = "epoch:", "pause:"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a study's history."""

    seq: int
    """From 1."""
    kind: str
    """`ask`, `epoch`, `pause` or `end`."""
    number: int
    """Of the trial."""
    content: Mapping[str, Any]
    """As it is stored now, without number and hash."""
    epoch: int = 0
    """From 1; 0 where the event is no epoch."""
    sha256: str = ""
    """That it was sealed with."""
    beside: object = None
    """What was sealed with it and is stored elsewhere."""

    @property
    def is_intact(self) -> bool:
        """Whether the content still has the hash that it was sealed with."""
        return self.sha256 == _hash(self.content, self.seq, self.number, self.beside)

    @property
    def place(self) -> str:
        """Name of the event for a person, such as `event 17: t0003 epoch 2`."""
        what = f"epoch {self.epoch}" if self.epoch else self.kind
        return f"event {self.seq}: t{self.number:04d} {what}"


def epoch_attribute(epoch: int) -> str:
    """Return the name under which the study keeps an epoch's metrics."""
    return f"{_EPOCH}{epoch:04d}"


def pause_attribute(seq: int) -> str:
    """Return the name under which the study keeps that a trial was closed for now, by the event."""
    return f"{_PAUSE}{seq:06d}"


def is_paused(trial: "FrozenTrial") -> bool:
    """Return whether a trial is closed until the budget grows: PRUNED, and not by an end."""
    attributes = trial.user_attrs
    was_paused = any(name.startswith(_PAUSE) for name in attributes)
    return trial.state.name == "PRUNED" and was_paused and END not in attributes


def seal(
    content: Mapping[str, object], *, seq: int, number: int, beside: object = None
) -> dict[str, object]:
    """Return what is stored: the content with its number in the study's history and its hash.

    Args:
        content: plain JSON values.
        seq: number of the event.
        number: of the trial.
        beside: what Optuna stores of the same event elsewhere, such as the trial's parameters.
    """
    return {**content, "seq": seq, "sha256": _hash(content, seq, number, beside)}


def events_of(trial: "FrozenTrial") -> Iterator[Event]:
    """Yield what happened to a trial, in no order.

    An epoch counts where Optuna holds its value: a kill between metrics and value leaves metrics
    alone, and that epoch is trained and stored anew.
    """
    attributes = trial.user_attrs
    if ASK in attributes:
        yield _unseal(ASK, trial.number, attributes[ASK], beside=trial.params)
    for epoch in sorted(trial.intermediate_values):
        stored = attributes.get(epoch_attribute(epoch), {})
        yield _unseal("epoch", trial.number, stored, beside=None, epoch=epoch)
    for name in filter(lambda name: name.startswith(_PAUSE), attributes):
        yield _unseal("pause", trial.number, attributes[name], beside=None)
    if END in attributes:
        yield _unseal(END, trial.number, attributes[END], beside=None)


def newest_event(trial: "FrozenTrial") -> Event | None:
    """Return what happened to a trial last; None where nothing has."""
    return max(events_of(trial), key=lambda event: event.seq, default=None)


def last_seq(trial: "FrozenTrial") -> int:
    """Return the number of a trial's newest event, 0 if it has none."""
    attributes = trial.user_attrs  # read directly: thousands of events are not made for one number
    names = [name for name in attributes if name in (ASK, END) or name.startswith(_PAUSE)]
    names += [epoch_attribute(epoch) for epoch in trial.intermediate_values]
    return max((attributes.get(name, {}).get("seq", 0) for name in names), default=0)


def history(trials: Sequence["FrozenTrial"]) -> list[Event]:
    """Return all that happened in a study, in its order."""
    return sorted((e for trial in trials for e in events_of(trial)), key=lambda e: e.seq)


def order_of(trials: Sequence["FrozenTrial"]) -> list[tuple[int, int]]:
    """Return (trial number, epoch) of each result of a sound study, as they came in."""
    results = [
        (trial.user_attrs[epoch_attribute(epoch)]["seq"], trial.number, epoch)
        for trial in trials
        for epoch in trial.intermediate_values
    ]
    return [(number, epoch) for _, number, epoch in sorted(results)]


def find_damage(trials: Sequence["FrozenTrial"]) -> Iterator[str]:
    """Yield each place at which a study is not what was stored, in the order of its events.

    Args:
        trials: all of a study, by number.
    """
    events = history(trials)
    for seq, event in enumerate(events, start=1):
        if event.seq != seq:
            yield f"event {seq} is missing: the next there is {event.place}"
            return
        if not event.is_intact:
            yield f"{event.place}: what is stored no longer matches its event"
        stored = trials[event.number].intermediate_values.get(event.epoch)
        reported = event.content.get("val_accuracy")
        if event.epoch and stored != reported:
            yield f"{event.place}: val_accuracy {reported} was reported, the study holds {stored}"
        if event.kind == END:
            yield from _other_end(trials[event.number], event, seq == len(events))
    for trial in trials:
        if END not in trial.user_attrs:
            yield from _other_pause(trial)


def _other_end(trial: "FrozenTrial", end: Event, is_newest: bool) -> Iterator[str]:
    """Yield where Optuna's state or value of a trial is not what its end says."""
    told, state = end.content.get("state"), trial.state.name
    if state == "RUNNING" and is_newest:
        return  # a kill between an end and its telling: the next start tells it
    if state != told:
        yield f"{end.place}: ended as {told}, the study holds {state}"
    yield from _other_value(trial, end, told)


def _other_pause(trial: "FrozenTrial") -> Iterator[str]:
    """Yield where a trial without an end is closed, and not by a pause, its newest event."""
    newest = newest_event(trial)
    if newest is None or not trial.state.is_finished():
        return  # one that was paused and runs was opened again, or was not told yet
    if newest.kind != "pause" or trial.state.name != "PRUNED":
        yield f"{newest.place}: was no end, the study holds {trial.state.name}"
    yield from _other_value(trial, newest, "PRUNED")


def _other_value(trial: "FrozenTrial", end: Event, told: object) -> Iterator[str]:
    """Yield where Optuna's value of a trial is not the one it reported last."""
    last = trial.intermediate_values.get(max(trial.intermediate_values, default=0))
    value = None if told == "FAIL" else last
    if trial.value != value:
        yield f"{end.place}: ended with {value}, the study holds {trial.value}"


def _unseal(
    kind: str, number: int, stored: Mapping[str, Any], *, beside: object, epoch: int = 0
) -> Event:
    content = {key: value for key, value in stored.items() if key not in ("seq", "sha256")}
    seq, sha256 = stored.get("seq", 0), stored.get("sha256", "")
    return Event(seq, kind, number, content, epoch, sha256, beside)


def _hash(content: Mapping[str, object], seq: int, number: int, beside: object) -> str:
    text = json.dumps([seq, number, content, beside], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
