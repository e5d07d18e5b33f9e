"""A study's page as a browser shows it, in light and dark, wide and on a phone."""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
_WIDE, _PHONE = {"width": 1280, "height": 1500}, {"width": 390, "height": 844}
_NUM_COLOURS = 255
"""Of a picture: screens have few, and a repository keeps pictures for ever."""


def pictures_of(report: Path, folder: Path) -> list[Path]:
    """Photograph the top of a page; return the pictures.

    Args:
        report: the page, a file.
        folder: of the pictures, which exists.
    """
    made = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        for theme in ("light", "dark"):
            made.append(folder / f"page-{theme}.png")
            made[-1].write_bytes(_small(_shot(browser, report, theme, _WIDE)))
        made.append(folder / "page-phone.png")
        made[-1].write_bytes(_small(_shot(browser, report, "light", _PHONE)))
        browser.close()
    return made


def _shot(browser: Browser, report: Path, theme: str, size: dict[str, int]) -> bytes:
    """Return the first screen, as a PNG, once every picture of the page is drawn."""
    scale = 2 if size is _PHONE else 1
    context = browser.new_context(viewport=size, color_scheme=theme, device_scale_factor=scale)
    page = context.new_page()
    page.goto(report.absolute().as_uri())
    for figure in page.query_selector_all(".figure"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.querySelector('.main-svg')", arg=figure)
    page.evaluate("window.scrollTo(0, 0)")
    taken = page.screenshot()
    context.close()
    return taken


def _small(png: bytes) -> bytes:
    """Return a PNG with a palette, a third of the size."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    file = io.BytesIO()
    image.quantize(_NUM_COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
