"""Make the README's pictures from real runs: `make pictures`, three minutes, needs Chromium.

A demo search on a terminal of its own, photographed in mid-search; and the page of the published
study.
"""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from page import pictures_of
from terminal import picture_of

from search import report

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
STUDY = ROOT / "results" / "cpu-2core"
DEMO = ["python", "-m", "search.tune", "--space", "search_spaces/demo.yaml"]
NUM_ENDED = 4
"""Trials of the demo at their end when it is photographed, with others running."""


def main() -> None:
    """Make every picture and name it."""
    picture = FOLDER / "terminal.svg"
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "search_spaces").symlink_to(ROOT / "search_spaces")
        picture_of(DEMO, is_it=_is_in_mid_search, path=picture, folder=Path(scratch))
    print(picture)
    if code := report.main(["--study", str(STUDY)]):
        sys.exit(code)
    for made in pictures_of(STUDY / "report.html", FOLDER):
        print(made)


def _is_in_mid_search(frame: str) -> bool:
    ended = re.search(r"^trials +(\d+)/", frame, re.M)
    return ended is not None and int(ended[1]) >= NUM_ENDED


if __name__ == "__main__":
    main()
