import json
import re

import pytest

from search.view.page.figure import Figure, colour, label, lines


def payload(**content):
    text = Figure(id="f", title="t", **content).payload()
    return re.fullmatch(r"<script [^>]*>(.*)</script>", text, re.DOTALL)[1]


@pytest.mark.parametrize("text", ["</script>", "<!-- <script>", "a && b"])
def test_no_text_ends_the_element_that_holds_it(text):
    written = payload(data=[{"text": [text]}])
    assert not set("<>&") & set(written)
    assert json.loads(written)["data"][0]["text"] == [text]


def test_numbers_are_short_and_those_that_are_none_are_null():
    data = [{"y": [0.123456789, 2.0, float("inf"), 60, None, True, -1.5e-7]}]
    assert payload(data=data).startswith('{"data":[{"y":[0.12346,2,null,60,null,true,-1.5e-07]}]')


def test_a_label_is_no_markup_for_plotly():
    assert label("<b>x</b> & <a href='javascript:alert(1)'>") == (
        "&lt;b&gt;x&lt;/b&gt; &amp; &lt;a href='javascript:alert(1)'&gt;"
    )


def test_a_long_label_is_cut_before_it_is_escaped():
    assert label("<" * 100) == "&lt;" * 79 + "…"


def test_a_label_is_one_line():
    assert lines(label("a\nb"), label("c")) == "a b<br>c"


def test_a_colour_is_a_role_that_the_style_sheet_knows():
    assert colour("ink") == {"role": "ink"}
