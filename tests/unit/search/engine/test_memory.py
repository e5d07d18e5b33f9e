from types import SimpleNamespace

import pytest
from optuna.storages import InMemoryStorage

from search.engine.course import Course
from search.engine.memory import MemoryKills
from search.study.errors import UnfinishedError
from search.study.ledger import Ledger


@pytest.fixture
def course(study_config):
    ledger = Ledger.open(InMemoryStorage(), study_config)
    return Course(ledger, SimpleNamespace(is_set=False))


def test_with_several_at_once_half_as_many_go_on_and_nobody_is_to_blame(course):
    for _ in range(3):
        course.ledger.suggest()
    kills = MemoryKills(course)
    assert [kills.next_slots(slots) for slots in (8, 4, 3, 2)] == [4, 2, 1, 1]
    assert {t.state for t in course.ledger.trials} == {"RUNNING"}


def test_a_trial_killed_twice_alone_is_at_its_end_and_the_others_go_on(course):
    kills, ledger = MemoryKills(course), course.ledger
    ledger.suggest()
    ledger.suggest()
    for expected in ("RUNNING", "FAIL"):
        ledger.take_back()
        assert ledger.suggest().number == 0
        assert kills.next_slots(1) == 1
        assert ledger.trials[0].state == expected
    assert (ledger.trials[0].error_kind, ledger.trials[1].state) == ("host-memory", "RUNNING")


def test_a_search_whose_every_trial_needs_more_than_a_node_has_ends_early(course):
    kills = MemoryKills(course)
    for _ in range(6):  # two kills for each of the first three trials
        course.raise_if_ended()
        course.ledger.take_back()
        course.ledger.suggest()
        kills.next_slots(1)
    with pytest.raises(UnfinishedError, match="the first 3 trials failed alike: host-memory"):
        course.raise_if_ended()
