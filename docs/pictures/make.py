"""Make the README's pictures: `make pictures`, half a minute, needs Chromium.

Of the published study: the terminal in mid-search, and its page.
"""

import sys
from pathlib import Path

from page import pictures_of
from terminal import terminal_of

from search import report
from search.study.folder import StudyFolder

FOLDER = Path(__file__).parent
STUDY = FOLDER.parents[1] / "results" / "cpu-2core"
TRIAL, EPOCH = 10, 20
"""When the terminal is shown: two trials run, some were stopped, the rungs are chosen."""


def main() -> int:
    """Make every picture and name it; return an exit code."""
    picture = FOLDER / "terminal.svg"
    picture.write_text(terminal_of(StudyFolder(STUDY), trial=TRIAL, epoch=EPOCH))
    print(picture)
    if code := report.main(["--study", str(STUDY)]):
        return code
    for made in pictures_of(STUDY / "report.html", FOLDER):
        print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
