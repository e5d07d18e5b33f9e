"""A study's page as a browser shows it, in light and dark, wide and on a phone."""

import io
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
_WIDE, _PHONE = ViewportSize(width=1280, height=1130), ViewportSize(width=390, height=844)
_FRAME = 24  # pixels
_NUM_COLOURS = 255
"""Of a picture: screens have few, and a repository keeps pictures for ever."""


def pictures_of(report: Path, folder: Path) -> list[Path]:
    """Photograph the top of a page, and its curves; return the pictures.

    Args:
        report: the page, a file.
        folder: of the pictures, which exists.
    """
    made = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        for theme in ("light", "dark"):
            page = _opened(browser, report, theme, _WIDE)
            made[f"page-{theme}.png"] = page.screenshot()
            made[f"curves-{theme}.png"] = _framed(page, "#curves")
        made["page-phone.png"] = _opened(browser, report, "light", _PHONE, scale=2).screenshot()
        browser.close()
    for name, png in made.items():
        (folder / name).write_bytes(_small(png))
    return [folder / name for name in made]


def _opened(
    browser: Browser,
    report: Path,
    theme: Literal["light", "dark"],
    size: ViewportSize,
    *,
    scale: int = 1,
) -> Page:
    """Return the page at its top, with every picture of it drawn.

    Args:
        browser: that opens it.
        report: the page.
        theme: that the reader prefers.
        size: of the window; pixels of CSS.
        scale: pixels of the screen to one of CSS.
    """
    context = browser.new_context(viewport=size, color_scheme=theme, device_scale_factor=scale)
    page = context.new_page()
    page.goto(report.absolute().as_uri())
    for figure in page.query_selector_all(".figure"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.querySelector('.main-svg')", arg=figure)
    page.evaluate("window.scrollTo(0, 0)")
    return page


def _framed(page: Page, part: str) -> bytes:
    """Return a part of a page with some of what is around it, as a PNG."""
    box = page.locator(part).bounding_box()
    assert box is not None
    clip = FloatRect(
        x=box["x"] - _FRAME,
        y=box["y"] - _FRAME,
        width=box["width"] + 2 * _FRAME,
        height=box["height"] + _FRAME,
    )
    return page.screenshot(full_page=True, clip=clip)


def _small(png: bytes) -> bytes:
    """Return a PNG with a palette, a third of the size."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    file = io.BytesIO()
    image.quantize(_NUM_COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
