import pytest

import fakes
from search.study.errors import DamagedStudyError
from search.study.folder import StudyFolder, opened
from search.study.snapshot import take_snapshot
from seresnet.errors import DataError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The snapshots of a study: as it was born, while it ran, and afterwards; and its ledger."""
    folder = StudyFolder(tmp_path_factory.mktemp("results") / "reg")
    with opened(folder, fakes.CONFIG, fakes.IMAGES) as ledger:
        born = take_snapshot(folder)
        fakes.run(ledger, 0.1, 0.2, 0.3, 0.4)
        first, second = ledger.suggest(), ledger.suggest()
        for suggestion in (second, first, second):
            fakes.report_next(ledger, suggestion)
        ledger.fail(second.number, kind="diverged", error="")
        running = take_snapshot(folder)
        trials = fakes.trials_of(ledger)
    return folder, born, running, trials


def test_a_study_that_is_born_has_nothing_yet(study):
    _, born, _, _ = study
    assert (born.trials, born.order, born.spans, born.winner) == ([], [], {}, None)
    assert (born.incumbent, born.baseline, born.name) == (None, None, "reg")
    assert born.progress.num_trials == 8
    assert born.config == fakes.CONFIG
    assert born.num_val == 256


def test_a_running_study_is_seen_as_its_driver_sees_it(study):
    folder, born, running, trials = study
    assert fakes.trials_of(running) == trials
    assert running.order == [(0, 1), (0, 2), (0, 3), (0, 4), (2, 1), (1, 1), (2, 2)]
    assert (running.id, running.folder) == (born.id, folder)
    assert running.progress.states == {"COMPLETE": 1, "FAIL": 1, "RUNNING": 1}
    assert (running.winner.id, running.incumbent.id, running.baseline) == ("t0000", "t0000", 0.4)
    assert running.confirmation is running.ablation is None


def test_a_trial_has_its_span_open_while_it_runs(study):
    _, _, running, _ = study
    assert [span.end is None for _, span in sorted(running.spans.items())] == [False, True, False]
    assert running.spans[0].start <= running.spans[0].end <= running.spans[1].start


def test_a_snapshot_does_not_follow_its_study(study):
    folder, _, running, trials = study
    with opened(folder, fakes.CONFIG, fakes.IMAGES) as ledger:
        fakes.play_out(ledger)
    assert fakes.trials_of(running) == trials
    later = take_snapshot(folder)
    assert len(later.trials) == 8
    assert later.search_seconds >= running.search_seconds


def test_no_study_has_no_snapshot(study_dir):
    with pytest.raises(DataError, match=r"holds no study \(study\.db is missing\)"):
        take_snapshot(study_dir)


def test_a_database_of_others_has_no_snapshot(study_dir):
    fakes.make_database(study_dir.database, 3)
    before = study_dir.database.read_bytes()
    with pytest.raises(DamagedStudyError, match=r"study\.db: holds no study of this program"):
        take_snapshot(study_dir)
    assert study_dir.database.read_bytes() == before
