"""Links between Markdown files: the file is one that git tracks, the heading is there."""

import re
import subprocess
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[3]
_FENCED = re.compile(r"^(```+|~~~+).*?^\1[`~]*$", re.M | re.S)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.M)
_HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"\s]+)", re.I)


def tracked():
    """The files that git tracks, or would with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("links are checked in a git checkout", allow_module_level=True)
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).exists()}


FILES = tracked()
FOLDERS = {str(parent) for name in FILES for parent in Path(name).parents}
PAGES = sorted(name for name in FILES if name.endswith(".md"))


def links(text):
    """What a page links to, code apart."""
    prose = _CODE.sub("`", _FENCED.sub("", text))
    found = [first or second for first, second in _LINK.findall(prose)]
    return [unquote(each) for each in [*found, *_HTML.findall(prose)]]


def anchors(text):
    """The anchors that GitHub gives to a page's headings, and those set by hand."""
    prose = _FENCED.sub("", text)
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", prose, re.M)
    seen, found = Counter(), set(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", prose))
    for heading in headings:
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page, text):
    """Each link of a page that leads nowhere, with the reason."""
    for link in links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", link, re.I):
            continue  # another site: no network here
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
        if not target.is_relative_to(ROOT):
            yield f"{link}: outside the project"
            continue
        name = str(target.relative_to(ROOT))
        if name not in FILES and name not in FOLDERS:
            yield f"{link}: no file that git tracks"
        elif anchor and name.endswith(".md") and anchor not in anchors((ROOT / name).read_text()):
            yield f"{link}: no such heading"


def test_there_are_pages_to_check():
    assert {"README.md", "CHANGELOG.md", "docs/README.md", "results/README.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_tracked_file_and_a_heading(page):
    assert list(broken(page, (ROOT / page).read_text())) == []


def test_broken_links_are_found():
    text = (
        "[a](docs/no-such.md) [b](README.md#no-such) [c](../outside.md) [d][ref] [e](docs/)\n"
        '`[f](code.md)` <img src="no.png"> [g](https://example.org/x) [h](README.md#start)\n'
        "```\n[i](fenced.md)\n```\n[ref]: nowhere.md\n"
    )
    assert [each.partition(":")[0] for each in broken("README.md", text)] == [
        "docs/no-such.md", "README.md#no-such", "../outside.md", "nowhere.md", "no.png",
    ]  # fmt: skip


def test_anchors_are_githubs():
    text = "# Is it *really* so?\n## `a.b` -- c_d\n## Twice\n## Twice\n```\n# comment\n```\n"
    assert anchors(text) == {"is-it-really-so", "ab----c_d", "twice", "twice-1"}


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / each).resolve() for each in links(index.read_text())}
    pages = [page for page in PAGES if page.startswith("docs/") and "/adr/" not in page]
    missing = [page for page in pages if ROOT / page not in {index, *linked}]
    assert missing == []
