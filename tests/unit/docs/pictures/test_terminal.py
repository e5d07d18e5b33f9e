import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from pictures.terminal import terminal_of
from search.study.folder import StudyFolder

ROOT = Path(__file__).parents[4]
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))


def words(svg):
    """What a picture of a terminal says, line by line."""
    shown = re.findall(r"<text [^>]*y=\"([\d.]+)\"[^>]*>(.*?)</text>", svg, re.S)
    lines = {}
    for height, text in shown:
        lines[height] = lines.get(height, "") + " " + unescape(text).replace("\xa0", " ")
    return [" ".join(line.split()) for line in lines.values()]


def test_the_terminal_shows_the_recorded_moment():
    svg = terminal_of(StudyFolder(ROOT / "results" / "cpu-2core"), trial=10, epoch=20)
    said = words(svg)
    assert "$ python -m search.tune --space search_spaces/cpu.yaml --data data" in said
    assert "trials 11/14 trials (8 complete, 3 pruned, 2 running)" in said
    assert any(line.startswith("t0010") and "20/24 0.6550" in line for line in said)
    assert any(line.startswith("time 0:16:05 elapsed, at most") for line in said)
    # the committed one is of the same moment, whatever version of rich has drawn it
    assert words((ROOT / "docs" / "pictures" / "terminal.svg").read_text()) == said


def test_the_picture_asks_no_other_site():
    svg = (ROOT / "docs" / "pictures" / "terminal.svg").read_text()
    assert re.findall(r"\w+://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_are_small(picture):
    assert picture.stat().st_size < 200_000
    with Image.open(picture) as image:
        assert image.width >= 780
