import base64
import hashlib
import json
import re

from search.view.page.document import Section, document
from search.view.page.figure import Figure
from search.view.page.html import tag

FIGURE = Figure(id="f", title="dots", data=[{"x": [1.0, float("nan")]}], labels=["</script>"])


def made(*parts, title="a study"):
    section = Section(id="one", title="One & two", parts=parts)
    return document(title=title, lead=tag("p", "lead"), sections=[section])


def executed(page):
    """The scripts that a browser runs: those without a type of their own."""
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def allowed(page):
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    return content.replace("&#x27;", "'")


def test_the_policy_names_the_hash_of_every_script_and_allows_no_other():
    page = made(FIGURE)
    hashes = [hashlib.sha256(script.encode()).digest() for script in executed(page)]
    sources = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes]
    assert len(sources) == 2
    directives = dict(part.split(" ", 1) for part in allowed(page).split("; "))
    assert directives["script-src"] == " ".join(sources)
    assert directives["default-src"] == "'none'"
    assert "eval" not in allowed(page)


def test_the_policy_stands_before_all_that_it_rules():
    page = made(FIGURE)
    assert page.index("Content-Security-Policy") < page.index("<title>") < page.index("<style>")


def test_nothing_is_fetched():
    ours = re.sub(r"<script>.*?</script>", "", made(FIGURE), flags=re.DOTALL)
    assert re.findall(r"""(?:src|href)="(?!#)|@import|url\(""", ours) == []


def test_a_page_without_figures_has_no_plotly():
    assert len(executed(made(tag("p", "none")))) == 1
    assert len(made(tag("p", "none"))) < 50_000


def test_titles_are_text():
    page = made(title="<script>alert(1)</script>")
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in page
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in page
    assert "One &amp; two" in page


def test_a_section_is_listed_and_its_figure_has_its_place_and_its_numbers():
    page = made(FIGURE)
    assert '<a href="#one">' in page
    assert '<section id="one"' in page
    assert '<div class="figure" id="f" style="height:420px"' in page
    (payload,) = re.findall(r'data-figure="f">(.*?)</script>', page)
    assert json.loads(payload) == {
        "data": [{"x": [1, None]}],
        "layout": {},
        "labels": ["</script>"],
    }
