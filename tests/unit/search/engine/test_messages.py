import dataclasses
import pickle

import pytest
from ray.tune.utils import flatten_dict  # what Tune does to a report on its way to us

from search.engine.messages import EpochMessage, Failure, Refusal, read_message
from search.study.records import Host
from seresnet.epoch import EpochResult

RESULT = EpochResult(
    epoch=3, train_loss=0.1 + 0.2, val_loss=1.5, val_accuracy=0.625, val_accuracy_raw=0.5,
    lr=1e-5, seconds=1 / 3, images_per_second=1e5,
)  # fmt: skip
HOST = Host(node="here", device="cuda NVIDIA H200", dtype="bfloat16", threads=4)
# What Tune adds to every report.
TUNES_OWN = {
    "done": False, "training_iteration": 3, "trial_id": "a1", "pid": 42, "hostname": "ray's",
    "node_ip": "127.0.0.1", "time_total_s": 9.0, "timestamp": 1, "date": "2026-01-01",
    "config": {"number": 7, "seed": 5, "params": {"lr": 0.5}}, "iterations_since_restore": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(EpochMessage(RESULT, HOST, 2), id="epoch"),
        pytest.param(
            EpochMessage(
                dataclasses.replace(
                    RESULT, val_loss=None, val_accuracy=None, val_accuracy_raw=None
                ),
                HOST,
                1,
            ),
            id="epoch-without-validation",
        ),
        pytest.param(Failure("diverged", "diverged in epoch 3: loss not finite"), id="failure"),
        pytest.param(Failure("exception", ""), id="failure-without-words"),
        pytest.param(Refusal("t0001: No space left on device"), id="refusal"),
    ],
)
def test_a_message_survives_tunes_flattening_and_additions(message):
    assert read_message(flatten_dict({**message.as_report(), **TUNES_OWN})) == message
    assert read_message(flatten_dict({**TUNES_OWN, **message.as_report()})) == message


def test_no_name_of_ours_is_one_of_tunes():
    ours = {*EpochMessage(RESULT, HOST, 2).as_report(), *Failure("a", "b").as_report()}
    ours |= {*Refusal("c").as_report()}
    assert not ours & set(TUNES_OWN)


def test_a_report_holds_plain_values():
    def leaves(value):
        return (
            [leaf for v in value.values() for leaf in leaves(v)]
            if isinstance(value, dict)
            else [value]
        )

    report = EpochMessage(RESULT, HOST, 2).as_report()
    assert {type(leaf) for leaf in leaves(report)} <= {int, float, str, bool, type(None)}


def test_messages_travel_between_processes():
    for message in (EpochMessage(RESULT, HOST, 2), Failure("a", "b"), Refusal("c")):
        assert pickle.loads(pickle.dumps(message)) == message


def test_a_report_of_another_kind_is_refused():
    with pytest.raises(KeyError, match="epoch"):
        read_message(flatten_dict(TUNES_OWN))
