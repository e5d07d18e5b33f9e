import pytest
from optuna.storages import InMemoryStorage

from search.engine.memory import MemoryKills
from search.study.ledger import Ledger


@pytest.fixture
def ledger(study_config):
    return Ledger.open(InMemoryStorage(), study_config)


def test_with_several_at_once_half_as_many_go_on_and_nobody_is_to_blame(ledger):
    for _ in range(3):
        ledger.suggest()
    kills = MemoryKills()
    assert [kills.next_slots(ledger, slots) for slots in (8, 4, 3, 2)] == [4, 2, 1, 1]
    assert {t.state for t in ledger.trials} == {"RUNNING"}


def test_a_trial_killed_twice_alone_is_at_its_end_and_the_others_go_on(ledger):
    kills = MemoryKills()
    ledger.suggest()
    ledger.suggest()
    for expected in ("RUNNING", "FAIL"):
        ledger.take_back()
        assert ledger.suggest().number == 0
        assert kills.next_slots(ledger, 1) == 1
        assert ledger.trials[0].state == expected
    assert (ledger.trials[0].error_kind, ledger.trials[1].state) == ("host-memory", "RUNNING")
