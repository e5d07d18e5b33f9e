import dataclasses
import re

from search.view.page.trials import MOST_ROWS, trials


def rows(section):
    body = section.render().split("<tbody>")[1]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in cells]


def test_the_best_come_first_then_the_stopped_then_the_failed(whole):
    found = rows(trials(whole))
    states = [row[2] for row in found]
    assert states == ["complete"] * 5 + ["pruned"] * 17 + ["fail"] * 2
    values = [float(row[3].rstrip("%")) for row in found[:5]]
    assert values == sorted(values, reverse=True)


def test_an_error_is_told_with_its_kind(whole):
    text = trials(whole).render()
    assert "diverged: loss is nan in epoch 2" in text
    assert "exception: ValueError: &lt;script&gt;alert(1)" in text


def test_numbers_carry_what_they_are_sorted_by(whole):
    text = trials(whole).render()
    assert f'data-value="{whole.trials[1].value!r}">71.46%' in text
    assert 'data-value="-Infinity">-<' in text


def test_a_large_study_is_cut_and_says_so(whole):
    many = [dataclasses.replace(whole.trials[2], number=k) for k in range(MOST_ROWS + 1)]
    section = trials(dataclasses.replace(whole, trials=many))
    assert len(rows(section)) == MOST_ROWS
    assert "1 trial more stand in trials.csv" in section.render()


def test_before_the_first_trial_there_is_a_sentence(made):
    assert "No trial has been begun yet." in trials(made("empty")).render()
