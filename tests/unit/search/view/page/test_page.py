import re
from datetime import UTC, datetime

import pytest
import studies

from search.study.checks.battery import run_checks
from search.study.config import loads
from search.study.importance import importances
from search.study.space import StudyConfig
from search.view.page.page import sections, verdict_page
from seresnet.errors import ConfigError

SECTIONS = [
    "checks", "confirmation", "curves", "best", "settings", "importance", "parallel", "ablation",
    "workers", "mistakes", "trials", "config", "provenance", "reproduce",
]  # fmt: skip
KINDS = ["whole", "running", "single", "failed", "empty"]


def page_of(snapshot):
    found = importances(snapshot.config, snapshot.trials)
    return verdict_page(snapshot, run_checks(snapshot, found=found), found, datetime.now(UTC))


@pytest.mark.parametrize("kind", KINDS)
def test_every_section_is_there_and_says_something(made, kind):
    snapshot = made(kind)
    found = importances(snapshot.config, snapshot.trials)
    shown = sections(snapshot, run_checks(snapshot, found=found), found)
    assert [section.id for section in shown] == SECTIONS
    texts = [re.sub(r"<[^>]*>", "", section.render()) for section in shown]
    assert min(map(len, texts)) > 30
    identities = [figure.id for section in shown for figure in section.figures]
    assert len(identities) == len(set(identities))


def test_no_study_file_may_name_a_recipe_like_this():
    text = studies.STUDY.format(trials=9, epochs=9, rung=6)
    with pytest.raises(ConfigError, match=r"recipes.*name must be 1 to 64 letters"):
        loads(text.replace("  plain:", f"  {studies.HOSTILE!r}:"), StudyConfig)


@pytest.mark.parametrize("kind", ["whole", "failed"])
def test_text_from_outside_stays_text_wherever_it_comes_from(made, kind):
    snapshot = made(kind)
    hostile = studies.with_hostile_names(snapshot) if snapshot.winner else snapshot
    page = page_of(hostile)
    ours = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # plotly's text and ours
    assert ours.count("&lt;script&gt;alert(1)") > 3
    for text in ("<script>alert", "<img", "onerror=alert(2)>"):
        assert text not in ours
    # plotly.js reads markup in labels: there it is escaped once more
    payloads = re.findall(r'class="payload" data-figure="[\w-]+">(.*?)</script>', page)
    assert all("<" not in payload for payload in payloads)
    assert "\\u003cscript" not in "".join(payloads)
    if snapshot.winner:
        assert "\\u0026lt;script\\u0026gt;alert(1)" in "".join(payloads)
