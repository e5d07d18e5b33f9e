from search.study.importance import Importance
from search.view.page.importance import importance

FOUND = [
    Importance(name="dropout", share=0.7, low=0.4, high=0.8, noise=0.3, chance=0.2,
               is_above_noise=True),
    Importance(name="<b>", share=0.3, low=0.1, high=0.5, noise=1.7, chance=0.6,
               is_above_noise=False),
]  # fmt: skip


def test_shares_stand_with_their_interval_and_the_line_of_noise():
    (figure,) = importance(FOUND).figures
    bars, noise = figure.data
    assert bars["x"] == [0.7, 0.3]
    assert bars["error_x"]["array"][1] == 0.2
    assert round(bars["error_x"]["arrayminus"][0], 9) == 0.3
    assert noise["x"] == [0.3, 1.0]
    assert [each["role"] for each in bars["marker"]["color"]] == ["complete", "pruned"]
    assert figure.labels == [
        "dropout: 70% (40% to 80%), above noise",
        "&lt;b&gt;: 30% (10% to 50%), not told from noise",
    ]


def test_few_trials_are_told():
    section = importance([])
    assert section.figures == []
    assert "Fewer than 10 trials" in section.render()
