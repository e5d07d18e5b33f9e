from types import SimpleNamespace

import pytest
from optuna.storages import InMemoryStorage
from ray import cloudpickle
from ray.tune import Callback
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import ConcurrencyLimiter, Searcher, SearchGenerator
from ray.tune.utils import flatten_dict

from search.engine.adapters import AttemptCounter, LedgerScheduler, LedgerSearcher
from search.engine.messages import EpochMessage, Failure
from search.study.ledger import Ledger
from search.study.records import Host
from seresnet.epoch import EpochResult

HOST = Host(node="here", device="cpu", dtype="float32", threads=1)


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


@pytest.fixture
def searcher(ledger):
    return LedgerSearcher(ledger)


@pytest.fixture
def scheduler(ledger):
    return LedgerScheduler(ledger)


def report(epoch, value):
    numbers = {"train_loss": 1.0, "val_loss": 1.0, "lr": 0.1, "seconds": 1.0}
    result = EpochResult(
        epoch=epoch, val_accuracy=value, val_accuracy_raw=0, images_per_second=1, **numbers
    )
    return flatten_dict(EpochMessage(result, HOST).as_report())


def trial(config):
    """What the scheduler sees of Tune's trial."""
    return SimpleNamespace(config=config)


def start(searcher, scheduler, name, *values):
    """Begin a trial and report an epoch for each value; return it and the decisions."""
    started = trial(searcher.suggest(name))
    decisions = [
        scheduler.on_trial_result(None, started, report(epoch, value))
        for epoch, value in enumerate(values, 1)
    ]
    return started, decisions


def test_the_searcher_hands_out_the_ledgers_trials_and_then_says_finished(searcher, ledger):
    configs = [searcher.suggest(f"ray{k}") for k in range(6)]
    assert [c["number"] for c in configs] == list(range(6))
    assert configs[0]["params"] == {"dropout": 0.2, "warmup_epochs": 1}
    assert [c["seed"] for c in configs] == [t.seed for t in ledger.trials]
    assert searcher.suggest("ray6") == Searcher.FINISHED
    assert len(ledger.trials) == 6


def test_what_tune_does_to_a_configuration_does_not_reach_the_ledger(searcher, ledger):
    searcher.suggest("ray0")["params"]["dropout"] = 0.5
    assert ledger.trials[0].params["dropout"] == 0.2


def test_the_scheduler_says_what_the_ledger_decides(searcher, scheduler, ledger):
    go_on, stop = TrialScheduler.CONTINUE, TrialScheduler.STOP
    assert start(searcher, scheduler, "a", 0.6, 0.6, 0.6, 0.6)[1] == [go_on, go_on, go_on, stop]
    assert start(searcher, scheduler, "b", 0.7, 0.7)[1] == [go_on, go_on]
    assert start(searcher, scheduler, "c", 0.9, 0.1)[1] == [go_on, stop]
    assert [t.state for t in ledger.trials] == ["COMPLETE", "RUNNING", "PRUNED"]
    assert [len(t.epochs) for t in ledger.trials] == [4, 2, 2]
    assert ledger.trials[0].host == HOST


def test_a_failure_stops_and_fails_the_trial(searcher, scheduler, ledger):
    started, _ = start(searcher, scheduler, "a", 0.5)
    message = Failure("diverged", "diverged in epoch 2").as_report()
    assert scheduler.on_trial_result(None, started, message) == TrialScheduler.STOP
    record = ledger.trials[0]
    assert (record.state, record.error_kind) == ("FAIL", "diverged")
    assert record.error == "diverged in epoch 2"
    searcher.on_trial_complete("a", message)  # Tune tells the searcher of each end
    assert ledger.trials[0].error_kind == "diverged"


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        pytest.param(True, "worker-died", "the worker died", id="worker-died"),
        pytest.param(False, "no-report", "ended before its last epoch", id="function-returned"),
    ],
)
def test_a_trial_that_ended_without_a_decision_failed(
    searcher, scheduler, ledger, error, kind, text
):
    start(searcher, scheduler, "a", 0.5)
    start(searcher, scheduler, "b", 0.5)
    searcher.on_trial_complete("b", error=error)
    assert [t.state for t in ledger.trials] == ["RUNNING", "FAIL"]
    assert ledger.trials[1].error_kind == ledger.trials[1].stop_reason == kind
    assert text in ledger.trials[1].error


@pytest.mark.parametrize("error", [True, False])
def test_tunes_word_on_a_trial_at_its_end_changes_nothing(searcher, scheduler, ledger, error):
    start(searcher, scheduler, "a", 0.5, 0.5, 0.5, 0.5)
    searcher.on_trial_complete("a", report(4, 0.5), error=error)
    assert (ledger.trials[0].state, ledger.trials[0].error_kind) == ("COMPLETE", "")


def test_a_restart_by_ray_counts_as_an_attempt(searcher, scheduler, ledger):
    started, _ = start(searcher, scheduler, "a", 0.5)
    counter = AttemptCounter(ledger)
    assert isinstance(counter, Callback)
    counter.on_trial_recover(iteration=1, trials=[started], trial=started, anything_new=1)
    assert ledger.trials[0].attempts == 2
    # The restarted trial reports its last epoch first.
    assert scheduler.on_trial_result(None, started, report(1, 0.5)) == TrialScheduler.CONTINUE
    assert list(ledger.trials[0].epochs) == [1]


def test_the_searcher_takes_whatever_metric_tune_was_given(searcher):
    assert searcher.set_search_properties("val_accuracy", "max", {}, extra=1)
    assert (searcher.metric, searcher.mode) == ("val_accuracy", "max")


@pytest.mark.parametrize("kind", [LedgerSearcher, LedgerScheduler, AttemptCounter])
def test_rays_state_files_hold_nothing_of_the_ledger(ledger, kind):
    ledger.suggest()
    content = cloudpickle.dumps(kind(ledger))
    assert b"ledger" not in content.replace(kind.__name__.encode(), b"").lower()
    assert len(content) < 200
    cloudpickle.loads(content)


def test_tune_can_save_the_searcher_in_its_wrappers(searcher, tmp_path):
    limited = ConcurrencyLimiter(searcher, max_concurrent=2)
    assert isinstance(limited.suggest("a"), dict)
    SearchGenerator(limited).save_to_dir(str(tmp_path), "session")
    assert any(tmp_path.iterdir())
    searcher.restore(str(tmp_path / "nowhere"))
