import pytest
from optuna.storages import InMemoryStorage

from search.study.ledger import Ledger
from search.study.records import Host
from search.view.summary import describe_study
from seresnet.epoch import EpochResult

HOST = Host(node="here", device="cpu", dtype="float32", threads=1)


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


def run(ledger, *values):
    number = ledger.suggest().number
    numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 1.0}
    for epoch, value in enumerate(values, 1):
        result = EpochResult(
            epoch=epoch, val_accuracy=value, val_accuracy_raw=0, images_per_second=1, **numbers
        )
        ledger.report(number, result, HOST, attempt=1)
    return number


def test_the_best_stand_first_with_their_gain_and_the_totals_last(ledger):
    run(ledger, 0.1, 0.2, 0.3, 0.5)
    run(ledger, 0.1, 0.2, 0.3, 0.625)
    assert run(ledger, 0.1, 0.1) == 2  # stopped
    ledger.fail(run(ledger, 0.9), kind="diverged", error="")
    assert describe_study(ledger).splitlines() == [
        "trial  name      val_accuracy  gain     dropout  warmup_epochs",
        "t0001  plain     0.6250        +0.1250  0        0",
        "t0000  baseline  0.5000        +0.0000  0.2      1",
        "4 trials (2 COMPLETE, 1 FAIL, 1 PRUNED), 11 epochs of 16 without stopping",
    ]


def test_five_trials_are_shown_and_of_equals_the_earliest(ledger):
    for _ in range(6):
        run(ledger, 0.5, 0.5, 0.5, 0.5)
    rows = describe_study(ledger).splitlines()[1:-1]
    assert [row.split()[0] for row in rows] == ["t0000", "t0001", "t0002", "t0003", "t0004"]
    assert [row.split()[1] for row in rows] == ["baseline", "plain", "-", "-", "-"]


def test_without_a_baseline_no_gain_is_claimed(ledger):
    ledger.fail(run(ledger), kind="diverged", error="")
    run(ledger, 0.5, 0.5, 0.5, 0.625)
    assert describe_study(ledger).splitlines()[1].split() == ["t0001", "plain", "0.6250", "0", "0"]


def test_a_study_without_a_complete_trial_has_its_totals(ledger):
    assert describe_study(ledger).splitlines()[-1].startswith("0 trials")
    ledger.fail(run(ledger, 0.5), kind="diverged", error="")
    run(ledger, 0.5)
    (totals,) = describe_study(ledger).splitlines()[1:]
    assert totals == "2 trials (1 FAIL, 1 RUNNING), 2 epochs of 8 without stopping"
