import pytest

from search.view.page.html import Html, code, escape, readable, table, tag


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "<b>", tag("b", "&")) == "<p>&lt;b&gt;<b>&amp;</b></p>"


def test_attributes_cannot_be_left():
    assert tag("a", "x", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;">x</a>'


def test_attributes_are_named_as_in_html_and_left_out_where_there_is_none():
    assert tag("img", class_="a", aria_label="b", hidden=True, id=None, alt=False) == (
        '<img class="a" aria-label="b" hidden>'
    )


def test_several_contents_follow_each_other():
    assert escape(["<", [Html("<br>"), ">"]]) == "&lt;<br>&gt;"


def test_text_added_to_markup_is_text_again():
    assert escape(tag("b", "x") + "<i>") == "&lt;b&gt;x&lt;/b&gt;&lt;i&gt;"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\ud800", "\ufffd"),
        ("abc\u202ecba", "abc\ufffdcba"),
        ("two\nlines\tand é", "two\nlines\tand é"),
    ],
    ids=["nul", "terminal", "half a pair", "right to left", "kept"],
)
def test_what_a_file_or_an_eye_cannot_take_is_replaced(text, shown):
    assert readable(text) == shown


def test_a_table_scrolls_and_sets_numbers_right():
    made = table(["a", "<n>"], [["x", "1"], [tag("td", "y", class_="wide"), "2"]], numbers=[1])
    assert made.startswith('<div class="scroll" tabindex="0"><table>')
    assert '<th class="number" scope="col">&lt;n&gt;</th>' in made
    assert '<td>x</td><td class="number">1</td>' in made
    assert '<td class="wide">y</td>' in made


def test_code_is_text():
    assert "<code>a &lt; b\nc</code>" in code("a < b\nc")
