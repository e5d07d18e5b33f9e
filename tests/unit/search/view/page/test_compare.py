"""The page of several studies: who is ahead at equal effort, and when nobody can tell."""

import dataclasses
import json
import re

import pytest
from optuna.storages import InMemoryStorage

import fakes
from fakes import make_snapshot, trial
from search.study.config import loads
from search.study.confirmation import conclude
from search.study.contest import terms_of
from search.study.ledger import Ledger
from search.study.space import StudyConfig
from search.view.page.compare import compare_page

IMAGES = {"train_sha256": "a" * 64, "val_sha256": "b" * 64}


def study(name, *finals, config=fakes.CONFIG, images=IMAGES, **fields):
    trials = [
        trial(k, [value] * 4, params={"dropout": k / 10, "crop_padding": k})
        for k, value in enumerate(finals)
    ]
    made = make_snapshot(trials, config, path=f"results/{name}", **fields)
    return dataclasses.replace(made, images=images)


def other(old, new):
    assert old in fakes.STUDY
    return loads(fakes.STUDY.replace(old, new), StudyConfig)


def verdict(page):
    return re.findall(r'<p class="verdict">(.*?)</p>', page)[0]


def section(page, name):
    (found,) = re.findall(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    return re.sub(r"<[^>]*>", "|", found)


def test_the_better_at_equal_epochs_is_ahead_whatever_came_later():
    page = compare_page([study("slow", 0.5, 0.6, 0.9), study("fast", 0.5, 0.7)])
    assert verdict(page) == (
        "At 8 epochs, which all have spent, fast is ahead: 70.00%, 10.00 points above the next."
    )
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)[2:4] for row in rows[:3]]
    assert cells == [["at 8 epochs", "at the end"], ["60.00%", "90.00%"], ["70.00%", "70.00%"]]


@pytest.mark.parametrize(("noise", "is_luck"), [(0.01, False), (0.2, True)])
def test_a_lead_that_two_runs_of_one_setting_may_have_is_called_luck(noise, is_luck):
    ledger = Ledger.open(InMemoryStorage(), fakes.CONFIG)
    for value in (0.5, 0.6):
        fakes.run(ledger, value, value, value, value)
    runs = {f"t000{k}-seed{seed}": 0.5 for k in (0, 1) for seed in (11, 12, 13)}
    found = conclude(ledger, terms_of(ledger.config), runs, num_val=256)
    confirmed = study("a", 0.5, 0.6, confirmation=dataclasses.replace(found, noise=noise))
    page = compare_page([confirmed, study("b", 0.5, 0.7)])
    assert ("above the next, no more than luck makes." in verdict(page)) == is_luck
    assert f"standard deviation of {100 * noise:.2f} points in a" in page
    assert "Not all were confirmed on the same fresh seeds" in page


def test_studies_may_be_level():
    page = compare_page([study("a", 0.5, 0.7), study("b", 0.5, 0.7)])
    assert verdict(page) == "At 8 epochs, which all have spent, the best are level at 70.00%."


def test_a_study_without_a_complete_trial_leaves_nothing_to_compare():
    page = compare_page([study("a", 0.5, 0.7), study("none")])
    assert "no trial was complete in a, none: there is nothing to compare" in verdict(page)
    assert "no complete trial" in section(page, "winners")


def test_studies_of_different_validation_images_are_not_ranked():
    page = compare_page([study("a", 0.5), study("b", 0.7, images={**IMAGES, "val_sha256": "c"})])
    assert verdict(page) == "These studies do not compare: they were not asked the same."
    assert "for reading, not for ranking" in page


def test_curves_are_drawn_by_epochs_spent_with_the_line_that_all_have_reached():
    page = compare_page([study("slow", 0.5, 0.4, 0.9), study("<b>", 0.5, 0.7)])
    (text,) = re.findall(r'data-figure="compare-curves">(.*?)</script>', page)
    figure = json.loads(text)
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    assert [(line["x"], line["y"]) for line in lines] == [
        ([4, 12, 12], [0.5, 0.9, 0.9]), ([4, 8, 8], [0.5, 0.7, 0.7]),
    ]  # fmt: skip
    assert [line["name"] for line in lines] == ["slow", "&lt;b&gt;"]
    assert figure["layout"]["shapes"][0]["x0"] == 8
    points = [trace["customdata"] for trace in figure["data"] if trace["mode"] == "markers"]
    assert points == [[0, 1], [2, 3]]
    assert figure["labels"][3].startswith("&lt;b&gt;: t0001")


def test_what_it_has_cost_tells_how_soon_each_came_to_what_all_have_reached():
    page = compare_page([study("slow", 0.5, 0.6, 0.9), study("fast", 0.7, 0.7)])
    cost = section(page, "cost")
    assert "epochs to 70.00%" in cost
    cells = [[c for c in row.split("|") if c] for row in cost.split("||||") if "60 s" in row]
    assert [(row[0], row[5], row[6]) for row in cells] == [("slow", "12", "12"), ("fast", "8", "4")]


def test_winners_stand_side_by_side_beside_their_baseline():
    page = compare_page([study("a", 0.5, 0.7), study("b", 0.5, 0.6, 0.7)])
    winners = [c for c in section(page, "winners").split("|") if c]
    at = winners.index("dropout")
    assert winners[at : at + 4] == ["dropout", "0.1", "0.2", "0.5"]
    assert winners.count("baseline") == 1


def test_baselines_that_differ_stand_apart_and_a_setting_may_be_missing():
    config = other("baseline: {dropout: 0.5, crop", "baseline: {dropout: 0.3, crop")
    page = compare_page([study("a", 0.5, 0.7), study("b", 0.5, 0.7, config=config)])
    winners = [c for c in section(page, "winners").split("|") if c]
    assert "baseline of a" in winners
    at = winners.index("dropout")
    assert winners[at : at + 5] == ["dropout", "0.1", "0.1", "0.5", "0.3"]


def test_keys_that_differ_are_shown_with_the_value_of_each():
    page = compare_page([study("a", 0.5), study("b", 0.5, config=other("seed: 2", "seed: 9"))])
    cells = [c for c in section(page, "differences").split("|") if c]
    assert cells[-3:] == ["study.seed", "2", "9"]
    equal = section(compare_page([study("a", 0.5), study("b", 0.5)]), "differences")
    assert "The study files are equal" in equal


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>'])
def test_names_are_text(name):
    page = compare_page([study("a", 0.5), make_snapshot([trial(0, [0.5] * 4)], path=name)])
    assert "<img" not in page
    assert "<script>alert" not in page
