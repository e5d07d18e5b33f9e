import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import studies

from contrast import CONTRAST
from search.study.checks.battery import run_checks
from search.study.folder import StudyFolder
from search.study.importance import importances
from search.study.snapshot import take_snapshot
from search.view.page.page import verdict_page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SECTIONS = [
    "checks", "confirmation", "curves", "best", "settings", "importance", "parallel", "ablation",
    "workers", "mistakes", "trials", "config", "provenance", "reproduce",
]  # fmt: skip


def make(kind, path):
    """A study of this kind in a folder of its own."""
    if kind == "published":
        return StudyFolder(shutil.copytree(ROOT / "results" / "cpu-2core", path))
    return getattr(studies, kind)(path)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A function that gives the page of a study of this kind, drawn once."""
    root, drawn = tmp_path_factory.mktemp("pages"), {}

    def page_of(kind, change=lambda snapshot: snapshot):
        if kind not in drawn:
            snapshot = change(take_snapshot(make(kind, root / kind)))
            found = importances(snapshot.config, snapshot.trials)
            page = verdict_page(
                snapshot, run_checks(snapshot, found=found), found, datetime.now(UTC)
            )
            drawn[kind] = root / f"{kind}.html"
            drawn[kind].write_text(page)
        return drawn[kind]

    return page_of


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_whole_study_is_readable(pages, watched, theme, width):
    path = pages("whole", studies.with_hostile_names)
    seen = watched(path, width=width, theme=theme).draw_all()
    page = seen.page
    assert seen.complaints == []
    assert seen.asked == [path.as_uri()]
    assert page.eval_on_selector_all("section", "all => all.map(each => each.id)") == SECTIONS
    assert page.evaluate("document.documentElement.scrollWidth") == width
    contrasts = page.evaluate(CONTRAST)
    assert len(contrasts) > 500
    assert [each for each in contrasts if each[0] < 4.5] == []


@pytest.mark.parametrize("kind", ["published", "running", "single", "failed", "empty"])
def test_every_section_is_there(pages, watched, kind):
    seen = watched(pages(kind)).draw_all()
    sections = seen.page.eval_on_selector_all(
        "section", "all => all.map(each => [each.id, each.innerText.length])"
    )
    assert seen.complaints == []
    assert [name for name, length in sections if length > 30] == SECTIONS


def test_what_is_pointed_at_has_a_label_and_hostile_text_stays_text(pages, watched):
    seen = watched(pages("whole", studies.with_hostile_names)).draw_all()
    page = seen.page
    page.locator("#curves-all").scroll_into_view_if_needed()
    point = page.locator("#curves-all .scatterlayer .trace").last.locator("path.js-line")
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 1)
    label = page.locator("#curves-all .hoverlayer .hovertext")
    label.wait_for()
    assert re.search(r"t00\d\d.*: complete, 7\d\.\d\d%epoch 20: 7\d\.\d\d%", label.text_content())
    page.mouse.move(0, 0)
    label.wait_for(state="hidden")
    last = "document.getElementById('curves-all').data.length - 1"
    page.evaluate(f"Plotly.Fx.hover('curves-all', [{{curveNumber: {last}, pointNumber: 3}}])")
    label.filter(has_text=studies.HOSTILE[:20]).wait_for()
    assert page.locator("img").count() == 0
    assert page.locator(f"td:has-text('{studies.HOSTILE[:25]}')").count() > 0
    assert seen.complaints == []


def test_the_switch_changes_the_theme_of_page_and_pictures(pages, watched):
    page = watched(pages("whole", studies.with_hostile_names)).draw_all().page
    ink = "getComputedStyle(document.querySelector('#curves-all .legendtext')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(f"[{ink}, {paper}]")
    page.click("#theme")
    page.wait_for_function(f"{ink} !== '{before[0]}'")
    after = page.evaluate(f"[{ink}, {paper}]")
    assert before == ["rgb(26, 34, 45)", "rgb(255, 255, 255)"]
    assert after == ["rgb(231, 235, 241)", "rgb(19, 22, 27)"]
    assert page.inner_text("#theme") == "Light"


def test_a_heading_sorts_the_trials(pages, watched):
    page = watched(pages("whole", studies.with_hostile_names)).page
    cells = "rows => rows.map(row => row.cells[6].textContent)"
    page.click("#trials th:has-text('dropout') button")
    down = [float(each) for each in page.eval_on_selector_all("#trials tbody tr", cells)]
    assert down == sorted(down, reverse=True)
    page.click("#trials th:has-text('dropout') button")
    up = [float(each) for each in page.eval_on_selector_all("#trials tbody tr", cells)]
    assert up == down[::-1]


def test_printed_all_pictures_are_there_on_white(pages, watched):
    seen = watched(pages("whole", studies.with_hostile_names), theme="dark")
    page = seen.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    drawn = page.eval_on_selector_all(
        ".figure", "all => all.map(each => each.querySelector('.main-svg')?.clientWidth ?? 0)"
    )
    assert min(drawn) > 0
    assert max(drawn) <= 680
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.complaints == []
