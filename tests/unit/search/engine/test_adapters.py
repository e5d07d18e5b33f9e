from types import SimpleNamespace

import pytest
from optuna.storages import InMemoryStorage
from ray import cloudpickle
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import ConcurrencyLimiter, Searcher, SearchGenerator
from ray.tune.utils import flatten_dict

from fakes import HOST, result
from search.engine.adapters import LedgerScheduler, LedgerSearcher, Recovery
from search.engine.course import Course
from search.engine.messages import EpochMessage, Failure, Refusal
from search.study.errors import MachineError, UnfinishedError
from search.study.ledger import Ledger
from search.study.policies import with_budget


@pytest.fixture
def ledger(study_config):
    """Six trials of four epochs, judged after two; the first are `baseline` and `plain`."""
    return Ledger.open(InMemoryStorage(), study_config)


@pytest.fixture
def stop():
    """A request to stop that nobody has made yet."""
    return SimpleNamespace(is_set=False, num_installed=0)


@pytest.fixture
def course(ledger, stop):
    return Course(ledger, stop)


@pytest.fixture
def searcher(course):
    return LedgerSearcher(course)


@pytest.fixture
def scheduler(course):
    return LedgerScheduler(course)


def report(epoch, value, attempt=1):
    return flatten_dict(EpochMessage(result(epoch, value), HOST, attempt).as_report())


def trial(config):
    """What the scheduler sees of Tune's trial."""
    return SimpleNamespace(config=config, num_failures=1)


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


def test_the_searcher_says_not_now_while_a_running_trial_may_still_pay_for_another(study_config):
    ledger = Ledger.open(InMemoryStorage(), with_budget(study_config, max_total_epochs=8))
    course = Course(ledger, SimpleNamespace(is_set=False))
    searcher, scheduler = LedgerSearcher(course), LedgerScheduler(course)
    (first, _), (second, _) = (start(searcher, scheduler, name, 0.5) for name in "ab")
    assert searcher.suggest("c") is None
    scheduler.on_trial_result(None, second, Failure("exception", "boom").as_report())
    searcher.on_trial_complete("b")
    assert searcher.suggest("c") is None  # three epochs are left over, a trial takes four
    scheduler.on_trial_result(None, first, Failure("exception", "boom").as_report())
    searcher.on_trial_complete("a")
    third, _ = start(searcher, scheduler, "c", 0.5, 0.5)
    assert third.config["number"] == 2
    assert searcher.suggest("d") is None
    scheduler.on_trial_result(None, third, report(3, 0.5))
    assert searcher.suggest("d") == Searcher.FINISHED


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
        pytest.param(True, "worker-died", "the worker died 3 times", id="worker-died"),
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


def test_a_restart_by_ray_is_a_new_attempt_and_the_old_one_is_not_heard(
    searcher, scheduler, ledger, course, caplog
):
    started, _ = start(searcher, scheduler, "a", 0.5)
    recovery = Recovery(course)
    assert isinstance(recovery, Callback)
    recovery.on_trial_recover(iteration=1, trials=[started], trial=started, anything_new=1)
    assert ledger.trials[0].attempts == started.config["attempt"] == 2
    assert started.config["epochs_stored"] == 1
    assert "t0000: its worker died after epoch 1; retry 1 of 2" in caplog.text
    # The restarted trial reports its last epoch first.
    assert scheduler.on_trial_result(None, started, report(1, 0.5, 2)) == TrialScheduler.CONTINUE
    assert scheduler.on_trial_result(None, started, report(2, 0.5, 1)) == TrialScheduler.STOP
    assert list(ledger.trials[0].epochs) == [1]


def test_a_trial_whose_worker_died_before_it_began_is_handed_out_again(
    searcher, scheduler, ledger, caplog
):
    """Tune fails it at once: to change a worker over to the next trial is not to run it."""
    start(searcher, scheduler, "a", 0.5)
    started, _ = start(searcher, scheduler, "b")
    started.status = Trial.PENDING
    scheduler.on_trial_error(None, started)
    searcher.on_trial_complete("b", error=True)
    assert "t0001: its worker died before it began" in caplog.text
    assert [t.state for t in ledger.trials] == ["RUNNING", "RUNNING"]
    again = searcher.suggest("c")
    assert (again["number"], again["attempt"]) == (1, 2)


@pytest.mark.parametrize("status", [Trial.RUNNING, Trial.ERROR])
def test_a_trial_that_tune_starts_again_itself_is_not_handed_back(
    searcher, scheduler, ledger, status
):
    """Tune says the same of those, and they have another status."""
    started, _ = start(searcher, scheduler, "a", 0.5)
    started.status = status
    scheduler.on_trial_error(None, started)
    assert ledger.handed_out() == [0]


def test_the_signals_that_tune_takes_at_its_start_are_taken_back(course, stop):
    installed = []
    stop.install = lambda: installed.append(True)
    recovery = Recovery(course)
    for iteration in range(5):
        recovery.on_step_begin(iteration=iteration, trials=[])
    assert 1 <= len(installed) <= 2


def test_a_request_to_stop_lets_each_running_trial_end_its_epoch_and_no_new_one_start(
    searcher, scheduler, ledger, course, stop
):
    started, _ = start(searcher, scheduler, "a", 0.5)
    stop.is_set = True
    assert searcher.suggest("b") == Searcher.FINISHED
    assert scheduler.on_trial_result(None, started, report(2, 0.6)) == TrialScheduler.STOP
    searcher.on_trial_complete("a", report(2, 0.6))
    assert (ledger.trials[0].state, list(ledger.trials[0].epochs)) == ("RUNNING", [1, 2])
    course.raise_if_ended()  # the request itself says how the command ends


def test_a_worker_that_dies_while_the_search_stops_fails_no_trial(
    searcher, scheduler, ledger, stop
):
    start(searcher, scheduler, "a", 0.5)
    stop.is_set = True
    searcher.on_trial_complete("a", error=True)
    assert ledger.trials[0].state == "RUNNING"


def test_a_machine_that_refuses_a_file_ends_the_search_and_blames_no_trial(
    searcher, scheduler, ledger, course
):
    started, _ = start(searcher, scheduler, "a", 0.5)
    other, _ = start(searcher, scheduler, "b", 0.5)
    message = Refusal("t0000: No space left on device").as_report()
    assert scheduler.on_trial_result(None, started, message) == TrialScheduler.STOP
    searcher.on_trial_complete("a", message)
    assert searcher.suggest("c") == Searcher.FINISHED
    assert scheduler.on_trial_result(None, other, report(2, 0.5)) == TrialScheduler.STOP
    assert [t.state for t in ledger.trials] == ["RUNNING", "RUNNING"]
    with pytest.raises(MachineError, match="No space left on device") as caught:
        course.raise_if_ended()
    assert (caught.value.exit_code, "free space" in caught.value.hint) == (3, True)


def test_a_storm_of_failures_ends_the_search(searcher, scheduler, ledger, course):
    message = Failure("exception", "ValueError: boom (train.py:3)").as_report()
    for name in ("a", "b", "c"):
        started, _ = start(searcher, scheduler, name)
        scheduler.on_trial_result(None, started, message)
        searcher.on_trial_complete(name, message)
    assert searcher.suggest("d") == Searcher.FINISHED
    assert [t.state for t in ledger.trials] == ["FAIL"] * 3
    with pytest.raises(UnfinishedError, match=r"failed alike: exception: ValueError: boom") as it:
        course.raise_if_ended()
    assert it.value.exit_code == 1


def test_the_searcher_takes_whatever_metric_tune_was_given(searcher):
    assert searcher.set_search_properties("val_accuracy", "max", {}, extra=1)
    assert (searcher.metric, searcher.mode) == ("val_accuracy", "max")


@pytest.mark.parametrize("kind", [LedgerSearcher, LedgerScheduler, Recovery])
def test_rays_state_files_hold_nothing_of_the_ledger(ledger, course, kind):
    ledger.suggest()
    content = cloudpickle.dumps(kind(course))
    assert b"ledger" not in content.replace(kind.__name__.encode(), b"").lower()
    assert len(content) < 200
    cloudpickle.loads(content)


def test_tune_can_save_the_searcher_in_its_wrappers(searcher, tmp_path):
    limited = ConcurrencyLimiter(searcher, max_concurrent=2)
    assert isinstance(limited.suggest("a"), dict)
    SearchGenerator(limited).save_to_dir(str(tmp_path), "session")
    assert any(tmp_path.iterdir())
    searcher.restore(str(tmp_path / "nowhere"))
