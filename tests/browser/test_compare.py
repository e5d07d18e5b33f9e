import dataclasses

import pytest
import studies

from contrast import CONTRAST
from search.study.config import loads
from search.study.folder import StudyFolder
from search.study.snapshot import take_snapshot
from search.study.space import StudyConfig
from search.view.page.compare import compare_page

pytestmark = pytest.mark.browser
SECTIONS = ["checks", "curves", "cost", "winners", "differences"]


def by_sobol(path):
    """The whole study's twin, whose points are those of a Sobol sequence."""
    text = studies.STUDY.format(trials=20, epochs=20, rung=6).replace("name: random", "name: qmc")
    return studies.Search(loads(text, StudyConfig)).run().save(StudyFolder(path))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two studies side by side; a recipe of the first has a hostile name, and so has its folder."""
    root = tmp_path_factory.mktemp("pages")
    first = studies.with_hostile_names(take_snapshot(studies.whole(root / "whole")))
    hostile = dataclasses.replace(first, folder=StudyFolder(root / studies.HOSTILE[:20]))
    path = root / "compare.html"
    path.write_text(compare_page([hostile, take_snapshot(by_sobol(root / "sobol"))]))
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_studies_side_by_side_are_readable(page, watched, theme, width):
    seen = watched(page, width=width, theme=theme).draw_all()
    assert seen.complaints == []
    assert seen.asked == [page.as_uri()]
    shown = seen.page
    assert shown.eval_on_selector_all("section", "all => all.map(each => each.id)") == SECTIONS
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    contrasts = shown.evaluate(CONTRAST)
    assert len(contrasts) > 100
    assert [each for each in contrasts if each[0] < 4.5] == []


def test_a_step_that_is_pointed_at_names_its_study_and_trial(page, watched):
    seen = watched(page).draw_all()
    shown = seen.page
    shown.locator("#compare-curves").scroll_into_view_if_needed()
    point = shown.locator("#compare-curves .scatterlayer .points path").last
    box = point.bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    label = shown.locator("#compare-curves .hoverlayer .hovertext").last
    label.wait_for()
    assert "t0001" in label.text_content()
    assert "epochs: 71.46%" in label.text_content()
    assert seen.complaints == []
