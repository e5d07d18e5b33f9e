import dataclasses

import optuna
import pytest

from search.study.events import END, Event, epoch_attribute, events_of, last_seq, seal


def frozen(attributes, values=None):
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.PRUNED,
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
