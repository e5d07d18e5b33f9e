"""A browser for tests of pages: Debian's Chromium, driven by Playwright."""

from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    """Chromium, started once; it has nothing to fetch."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield started
        started.close()


class Watched:
    """A page that is opened, with all that it complained of and asked for."""

    def __init__(self, context, path):
        self.complaints, self.asked = [], []
        self.page = context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._popped_up)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _popped_up(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def draw_all(self):
        """Scroll to every picture, as a reader does, until each is drawn."""
        for figure in self.page.query_selector_all(".figure"):
            figure.scroll_into_view_if_needed()
            self.page.wait_for_function("figure => figure.querySelector('.main-svg')", arg=figure)
        return self


@pytest.fixture
def watched(browser):
    """A function that opens a file in a window of some width and theme."""
    contexts = []

    def watch(path, *, width=1280, theme="light"):
        size = {"width": width, "height": 844 if width < 600 else 900}
        context = browser.new_context(viewport=size, color_scheme=theme, has_touch=width < 600)
        contexts.append(context)
        return Watched(context, path)

    yield watch
    for context in contexts:
        context.close()
