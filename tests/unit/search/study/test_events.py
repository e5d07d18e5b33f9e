import dataclasses

import optuna
import pytest

from search.study.events import (
    END,
    Event,
    epoch_attribute,
    events_of,
    find_damage,
    is_paused,
    last_seq,
    newest_event,
    pause_attribute,
    seal,
)


def frozen(attributes, values=None, *, state="PRUNED", value=None):
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        value=value,
        params={"dropout": 0.5},
        distributions={"dropout": optuna.distributions.FloatDistribution(0, 1)},
        user_attrs=attributes,
        intermediate_values=values or {},
    )


def sealed(content, **where):
    return seal(content, number=-1, **where)  # a trial that no study holds has number -1


def test_a_trials_events_have_their_numbers_and_are_intact():
    trial = frozen(
        {
            "ask": sealed({"name": "", "seed": 5}, seq=3, beside={"dropout": 0.5}),
            epoch_attribute(1): sealed({"val_accuracy": 0.25}, seq=4),
            epoch_attribute(2): sealed({"val_accuracy": 0.5}, seq=7),
            END: sealed({"state": "PRUNED"}, seq=8),
            "host": {"node": "here"},
        },
        {1: 0.25, 2: 0.5},
    )
    events = list(events_of(trial))
    assert [(e.seq, e.kind, e.epoch) for e in events] == [
        (3, "ask", 0), (4, "epoch", 1), (7, "epoch", 2), (8, "end", 0),
    ]  # fmt: skip
    assert all(event.is_intact for event in events)
    assert events[1].content == {"val_accuracy": 0.25}
    assert last_seq(trial) == 8


def test_metrics_without_their_value_are_no_event():
    trial = frozen({epoch_attribute(1): sealed({"val_accuracy": 0.25}, seq=4)})
    assert list(events_of(trial)) == []
    assert last_seq(trial) == 0


@pytest.mark.parametrize("key", ["val_accuracy", "seq", "sha256"])
def test_whatever_is_changed_afterwards_breaks_the_seal(key):
    stored = sealed({"val_accuracy": 0.25}, seq=4)
    changed = {**stored, key: "0" if key == "sha256" else 5}
    (event,) = events_of(frozen({epoch_attribute(1): changed}, {1: 0.25}))
    assert not event.is_intact


def test_a_changed_parameter_breaks_the_seal_of_its_suggestion():
    stored = sealed({"name": "", "seed": 5}, seq=3, beside={"dropout": 0.5000001})
    (event,) = events_of(frozen({"ask": stored}))
    assert not event.is_intact


def test_an_event_of_another_trial_is_not_taken_for_its_own():
    (event,) = events_of(frozen({END: seal({"state": "FAIL"}, seq=8, number=3)}))
    assert not event.is_intact


def test_values_that_json_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        seal({"val_accuracy": float("nan")}, seq=1, number=0)


def test_a_place_is_named_for_a_person():
    event = Event(17, "epoch", 3, {}, epoch=2)
    assert event.place == "event 17: t0003 epoch 2"
    assert dataclasses.replace(event, kind="ask", epoch=0).place == "event 17: t0003 ask"


def test_epoch_attributes_sort_as_their_epochs():
    names = [epoch_attribute(k) for k in (1, 9, 10, 99, 100, 1000)]
    assert names == sorted(set(names))


ASKED = {"ask": sealed({"name": "", "seed": 5}, seq=1, beside={"dropout": 0.5})}
FIRST = {**ASKED, epoch_attribute(1): sealed({"val_accuracy": 0.25}, seq=2)}
PAUSED = {**FIRST, pause_attribute(3): sealed({"limit": "max_hours"}, seq=3)}
GOES_ON = {**PAUSED, epoch_attribute(2): sealed({"val_accuracy": 0.5}, seq=4)}
ENDED = {**GOES_ON, END: sealed({"state": "PRUNED"}, seq=5)}


def test_a_pause_is_an_event():
    trial = frozen(PAUSED, {1: 0.25})
    assert [(e.seq, e.kind) for e in events_of(trial)] == [(1, "ask"), (2, "epoch"), (3, "pause")]
    assert newest_event(trial).content == {"limit": "max_hours"}
    assert newest_event(trial).is_intact
    assert newest_event(frozen({})) is None


@pytest.mark.parametrize(
    ("attributes", "values", "state", "expected"),
    [
        pytest.param(PAUSED, {1: 0.25}, "PRUNED", True, id="paused"),
        pytest.param(PAUSED, {1: 0.25}, "RUNNING", False, id="opened-again"),
        pytest.param(GOES_ON, {1: 0.25, 2: 0.5}, "RUNNING", False, id="goes-on"),
        pytest.param(ENDED, {1: 0.25, 2: 0.5}, "PRUNED", False, id="stopped-later"),
    ],
)
def test_only_a_trial_that_is_closed_without_an_end_is_paused(attributes, values, state, expected):
    value = max(values.values()) if state == "PRUNED" else None
    trial = frozen(attributes, values, state=state, value=value)
    trial.number = 0
    assert is_paused(trial) is expected


def damage_of(attributes, values, **end):
    """What is found wrong with a study of one trial."""
    resealed = {}
    for name, stored in attributes.items():
        content = {k: v for k, v in stored.items() if k not in ("seq", "sha256")}
        beside = {"dropout": 0.5} if name == "ask" else None
        resealed[name] = seal(content, seq=stored["seq"], number=0, beside=beside)
    trial = frozen(resealed, values, **end)
    trial.number = 0
    return list(find_damage([trial]))


@pytest.mark.parametrize(
    ("attributes", "values", "end"),
    [
        pytest.param(PAUSED, {1: 0.25}, {"state": "PRUNED", "value": 0.25}, id="paused"),
        pytest.param(PAUSED, {1: 0.25}, {"state": "RUNNING"}, id="opened-again-or-not-told"),
        pytest.param(GOES_ON, {1: 0.25, 2: 0.5}, {"state": "RUNNING"}, id="goes-on"),
        pytest.param(ENDED, {1: 0.25, 2: 0.5}, {"state": "PRUNED", "value": 0.5}, id="ended"),
        pytest.param(ASKED, {}, {"state": "RUNNING"}, id="asked"),
    ],
)
def test_a_pause_that_optuna_agrees_with_is_no_damage(attributes, values, end):
    assert damage_of(attributes, values, **end) == []


@pytest.mark.parametrize(
    ("attributes", "values", "end", "place"),
    [
        pytest.param(
            PAUSED, {1: 0.25}, {"state": "PRUNED", "value": 0.75},
            "event 3: t0000 pause: ended with 0.25, the study holds 0.75", id="value",
        ),
        pytest.param(
            PAUSED, {1: 0.25}, {"state": "COMPLETE", "value": 0.25},
            "event 3: t0000 pause: was no end, the study holds COMPLETE", id="state",
        ),
        pytest.param(
            GOES_ON, {1: 0.25, 2: 0.5}, {"state": "PRUNED", "value": 0.5},
            "event 4: t0000 epoch 2: was no end, the study holds PRUNED", id="not-paused-again",
        ),
        pytest.param(
            {**FIRST, pause_attribute(3): sealed({"limit": "max_hours"}, seq=4)}, {1: 0.25},
            {"state": "PRUNED", "value": 0.25},
            "event 3 is missing: the next there is event 4: t0000 pause", id="gap",
        ),
    ],
)  # fmt: skip
def test_a_pause_that_optuna_does_not_agree_with_is_damage(attributes, values, end, place):
    assert damage_of(attributes, values, **end)[0] == place
