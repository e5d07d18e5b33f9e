import pytest
import studies
from test_report import CONTRAST

from looks import TEST, leave_model, take_look
from search.study.snapshot import take_snapshot
from search.view.page.document import document
from search.view.page.html import Html
from search.view.page.mistakes import mistakes

pytestmark = pytest.mark.browser
# What a cell's colour is on the page, drawn on a canvas: it is mixed of a tone and what lies below.
BEHIND = """
cell => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  for (const each of [document.body, cell]) {
    pen.fillStyle = getComputedStyle(each).backgroundColor;
    pen.fillRect(0, 0, 1, 1);
  }
  pen.fillStyle = getComputedStyle(cell).color;
  pen.fillRect(1, 0, 1, 1);
  const light = (x) => {
    const [r, g, b] = [...pen.getImageData(x, 0, 1, 1).data].slice(0, 3).map((v) => v / 255).map(
      (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(0), light(1)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
"""


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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_cell_of_the_confusion_is_readable_on_its_colour(page, watched, theme):
    cells = watched(page, theme=theme).page.locator(".confusion tbody td")
    found = [cells.nth(at).evaluate(BEHIND) for at in range(cells.count())]
    assert len(found) == 110
    assert min(found) > 4.5
    texts = [cells.nth(at).text_content() for at in range(11)]
    assert texts == ["·", "3", *"········", "0.0%"]
