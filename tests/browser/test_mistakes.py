import pytest
import studies

from contrast import CONTRAST
from looks import TEST, leave_model, take_look
from search.study.snapshot import take_snapshot
from search.view.page.document import document
from search.view.page.html import Html
from search.view.page.mistakes import mistakes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The section of a model that takes each disc for a ring and half the rings for squares."""
    root = tmp_path_factory.mktemp("pages")
    snapshot = take_snapshot(studies.single(root / "single"))
    predicted = TEST.labels.clone()
    predicted[TEST.labels == 0] = 1
    predicted[(TEST.labels == 1).nonzero().flatten()[0]] = 2
    take_look(leave_model(snapshot, won="t0000"), predicted=predicted)
    path = root / "mistakes.html"
    path.write_text(document(title="one", lead=Html(""), sections=[mistakes(snapshot)]))
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_mistakes_are_readable_and_their_images_are_there(page, watched, theme, width):
    seen = watched(page, width=width, theme=theme)
    shown = seen.page
    images = shown.locator("figure.mistake img")
    assert images.count() == 4
    for at in range(4):
        images.nth(at).scroll_into_view_if_needed()
        shown.wait_for_function("image => image.complete", arg=images.nth(at).element_handle())
    sizes = images.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])")
    assert sizes == [[32, 32]] * 4
    drawn = images.evaluate_all("all => all.map(i => getComputedStyle(i).imageRendering)")
    assert set(drawn) == {"pixelated"}
    assert all(each.startswith("test image ") for each in images.evaluate_all(
        "all => all.map(i => i.alt)"
    ))  # fmt: skip
    assert seen.complaints == []
    assert [url for url in seen.asked if not url.startswith("data:image/png")] == [page.as_uri()]
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert [each for each in shown.evaluate(CONTRAST) if each[0] < 4.5] == []


def test_the_confusion_has_a_row_a_class_and_what_is_right_at_its_end(page, watched):
    cells = watched(page).page.locator(".confusion tbody td")
    assert cells.count() == 110
    texts = [cells.nth(at).text_content() for at in range(11)]
    assert texts == ["·", "3", *"········", "0.0%"]
