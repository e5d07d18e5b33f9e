"""What the page of a large study costs: to make, to open, to scroll.

    PYTHONPATH=tests python benchmarks/bench_report.py                 # 1,000 trials x 60 epochs

The studies are made up and stored through the ledger: one with early stopping, one in which every
trial runs whole. Making the page is timed as its command, from start to end. Opening and scrolling
are timed in Chromium, which tells its long tasks itself: those of 50 ms and more, in which a page
does not answer.
"""

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import studies

from search.study.folder import StudyFolder

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}
STEP = 120  # pixels: one notch of a wheel, once a frame
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(Math.round(entry.duration));
}).observe({ type: "longtask", buffered: true });
window.frames_ = [];
let last = performance.now();
(function frame(now) {
  window.frames_.push(now - last);
  last = now;
  requestAnimationFrame(frame);
})(last);
"""


def make_study(path: Path, *, trials: int, epochs: int, pruner: str) -> StudyFolder:
    """Store a made-up study in a folder, and return the folder."""
    config = studies.config(trials, epochs, epochs // 4)
    pruned = dataclasses.replace(config.pruner, name=pruner)
    search = studies.Search(dataclasses.replace(config, pruner=pruned), workers=8)
    return search.run().save(StudyFolder(path))


def draw(folder: StudyFolder) -> dict[str, float]:
    """Make a study's page with the command; return seconds, processor seconds and megabytes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "search.report", "--study", str(folder.path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    megabytes = folder.report.stat().st_size / 1e6
    return {"seconds": seconds, "processor seconds": used, "megabytes": megabytes}


def look(browser, path: Path, window: str) -> dict[str, object]:
    """Open a page and scroll to its end; return what the browser tells of both."""
    width, height = WINDOWS[window]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(path.as_uri())
    page.wait_for_function("document.readyState === 'complete'")
    page.wait_for_timeout(1000)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    opening = page.evaluate("window.longTasks.splice(0)")
    page.evaluate("window.frames_.splice(0)")
    for _ in range(page.evaluate("document.documentElement.scrollHeight") // STEP):
        page.mouse.wheel(0, STEP)
        page.wait_for_timeout(16)
    page.wait_for_timeout(500)
    frames = sorted(page.evaluate("window.frames_.splice(0)"))
    scrolling = page.evaluate("window.longTasks.splice(0)")
    drawn = page.locator(".figure:has(.main-svg)").count()
    context.close()
    return {
        "first paint, ms": round(paint),
        "long tasks while opening, ms": opening,
        "long tasks while scrolling, ms": scrolling,
        "frame while scrolling, ms: median": round(frames[len(frames) // 2]),
        "95 in 100 below": round(frames[int(0.95 * len(frames))]),
        "pictures drawn": drawn,
    }


def main() -> None:
    """Measure, and print a table."""
    from playwright.sync_api import sync_playwright

    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for pruner in ("asha", "none"):
            path = Path(scratch) / pruner
            folder = make_study(path, trials=asked.trials, epochs=asked.epochs, pruner=pruner)
            print(f"pruner {pruner}: {asked.trials} trials of at most {asked.epochs} epochs")
            rows = {f"make: {key}": f"{value:.1f}" for key, value in draw(folder).items()}
            for window in WINDOWS:
                seen = look(browser, folder.report, window)
                rows |= {f"{window}: {key}": str(value) for key, value in seen.items()}
            for name, value in rows.items():
                print(f"  {name:<48}{value}")
        browser.close()


if __name__ == "__main__":
    main()
