import re

from search.study.checks.check import Check, Status
from search.view.page.cards import cards

CHECKS = [
    Check(name="trials at their end", status=Status.PASS, sentence="all 9 trials are"),
    Check(name="gain", status=Status.WARNING, sentence="dropout is <small>",
          advice="python -m search.confirm --study results/a --seeds 11 12 shows it; or: "
                 "python -m search.ablate --study results/a"),
    Check(name="the rest", status=Status.FAIL, sentence="none: of 3"),
]  # fmt: skip


def test_the_gravest_comes_first_with_a_word_and_a_shape(whole):
    text = cards(whole, CHECKS).render()
    assert re.findall(r'class="card (\w+)"', text) == ["FAIL", "WARNING", "PASS"]
    assert re.findall(r'aria-hidden="true">(.)</span> (\w+)<', text) == [
        ("✕", "FAIL"), ("▲", "WARNING"), ("✓", "PASS")
    ]  # fmt: skip
    assert "Checks: 1 FAIL, 1 WARNING, 1 PASS." in text


def test_sentences_begin_and_end_as_sentences_but_a_name_stays_a_name(whole):
    text = cards(whole, CHECKS).render()
    assert "<p>All 9 trials are.</p>" in text
    assert "<p>dropout is &lt;small&gt;</p>" in text
    assert "<span>Trials at their end</span>" in text


def test_commands_and_flags_are_set_as_code(whole):
    text = cards(whole, CHECKS).render()
    typed = [re.sub("<[^>]*>", "", each) for each in re.findall(r"<code.*?</code>", text)]
    assert typed == ["python -m search.confirm --study results/a --seeds 11 12",
                     "python -m search.ablate --study results/a"]  # fmt: skip


def test_without_checks_that_is_said(whole):
    assert "Nothing can be checked before the first trial." in cards(whole, []).render()
