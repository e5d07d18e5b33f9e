import dataclasses

from search.view.page.fresh import ablation, confirmation


def test_each_run_stands_by_configuration_the_seeds_joined(whole):
    runs, gains = confirmation(whole).figures
    names = [trace["name"] for trace in runs.data]
    assert names == ["seed 11", "seed 12", "seed 13", "mean"]
    assert len({trace["marker"]["symbol"] for trace in runs.data}) == 4
    assert runs.data[0]["x"] == ["t0001<br>plain", "t0023", "t0000<br>baseline"]
    (winner,) = [each for each in whole.confirmation.entrants if each.trial == "t0001"]
    assert runs.data[0]["y"][0] == winner.values["11"]
    assert len(gains.data[0]["x"]) == len(whole.confirmation.entrants) - 1
    assert gains.labels[0].startswith("t0001<br>plain: +0.90 (+0.66 to +1.1")


def test_the_table_has_the_highest_mean_first(whole):
    text = confirmation(whole).render()
    assert text.index("<td>t0001</td>") < text.index("<td>t0000</td>")
    assert "20 epochs with seeds 11, 12, 13" in text


def test_a_configuration_that_diverged_says_so(whole):
    rows = whole.confirmation.entrants
    lost = dataclasses.replace(rows[0], error="diverged (seed 11)", mean=None, gain=None)
    changed = dataclasses.replace(whole.confirmation, entrants=[lost, *rows[1:]])
    text = confirmation(dataclasses.replace(whole, confirmation=changed)).render()
    assert "diverged (seed 11)" in text


def test_why_nothing_is_confirmed_is_said(made, whole):
    assert "nothing to confirm yet" in confirmation(made("failed")).render()
    running = confirmation(made("running")).render()
    assert "not compared with the baseline on fresh seeds yet" in running
    assert "python -m search.confirm" in running
    stale = confirmation(dataclasses.replace(whole, confirmation=None)).render()
    assert "belongs to an earlier state of the study" in stale


def test_what_each_setting_is_worth_stands_with_its_bounds(whole):
    section = ablation(whole)
    (figure,) = section.figures
    (trace,) = figure.data
    assert trace["y"] == [each.hyperparameter for each in whole.ablation.effects]
    assert trace["x"][0] == 100 * whole.ablation.effects[0].loss
    assert "needed" in section.render()


def test_why_there_is_no_ablation_is_said(made, whole):
    assert "python -m search.ablate" in ablation(made("running")).render()
    stale = ablation(dataclasses.replace(whole, ablation=None)).render()
    assert "belongs to an earlier winner" in stale
    assert "search.ablate" not in ablation(made("failed")).render()
