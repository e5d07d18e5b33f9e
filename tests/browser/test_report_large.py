"""The page of 1,000 trials of 60 epochs: its size, the time it takes, whether it answers."""

import bench_report
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=["asha", "none"])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / request.param
    return bench_report.make_study(path, trials=1000, epochs=60, pruner=request.param)


def test_a_large_study_is_drawn_soon_and_its_page_answers(folder, browser):
    made = bench_report.draw(folder)
    assert made["megabytes"] < 10
    assert made["processor seconds"] < 30
    for window in bench_report.WINDOWS:
        seen = bench_report.look(browser, folder.report, window)
        assert seen["pictures drawn"] >= 9
        assert seen["first paint, ms"] < 1000
        assert max(seen["long tasks while scrolling, ms"], default=0) < 1000  # on a busy machine
        assert seen["frame while scrolling, ms: median"] < 34
