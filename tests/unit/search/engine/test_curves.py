"""The families of curves: their optimum is known, and they cross as their names say."""

from pathlib import Path

import numpy as np
import pytest

from search.engine.comparison import compare
from search.engine.curves import FAMILIES, Crossing, Noise, make_family
from search.study.config import loads
from search.study.policies import parse_policy, with_budget
from search.study.space import StudyConfig, load_study

REG = load_study(Path(__file__).parents[4] / "search_spaces" / "reg.yaml")
ONE = loads(
    """\
study: {num_trials: 8, min_epochs: 2, max_epochs: 6}
train: {warmup_epochs: 0}
space:
  crop_padding: {low: 0, high: 3}
baseline: {crop_padding: 0}
retrain: {epochs: 2}
""",
    StudyConfig,
)
NINE = loads(
    """\
study: {num_trials: 8, min_epochs: 2, max_epochs: 6}
train: {warmup_epochs: 0}
space:
  dropout: {low: 0.0, high: 0.5}
  label_smoothing: {low: 0.0, high: 0.2}
  crop_padding: {low: 0, high: 3}
  weight_decay: {low: 1e-5, high: 5e-3, log: true}
  mixup_alpha: {low: 0.3, high: 0.3}
  brightness: {low: 0.0, high: 0.5}
  contrast: {low: 0.0, high: 0.5}
  saturation: {low: 0.0, high: 0.5}
  hue: {low: 0.0, high: 0.1}
baseline: {dropout: 0, label_smoothing: 0, crop_padding: 1, weight_decay: 1e-4, mixup_alpha: 0.3,
  brightness: 0, contrast: 0, saturation: 0, hue: 0}
retrain: {epochs: 2}
""",
    StudyConfig,
)


def draw(config, num, seed=0):
    """Return random settings of a space."""
    rng = np.random.default_rng(seed)

    def value(name, domain):
        share = rng.random()
        if domain.log:
            return domain.low * (domain.high / domain.low) ** share
        drawn = domain.low + share * (domain.high - domain.low)
        return float(round(drawn)) if config.is_integer(name) else drawn

    return [{n: value(n, d) for n, d in config.space.items()} for _ in range(num)]


def rank_correlation(first, second):
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return np.corrcoef(*ranks)[0, 1]


def agreement(name, epoch):
    """Return how well an epoch ranks what random settings come to."""
    family = make_family(name, REG)
    points = draw(REG, 300)
    finals = [family.final(point) for point in points]
    return rank_correlation([family.clean(point)[epoch - 1] for point in points], finals)


@pytest.mark.parametrize("config", [REG, ONE, NINE], ids=["five", "one", "nine"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_best_setting_is_known_and_nothing_is_better(name, config):
    family = make_family(name, config)
    assert family.final(family.cube.best_params) == pytest.approx(family.best, abs=1e-6)
    finals = [family.final(point) for point in draw(config, 500)]
    assert max(finals) <= family.best + 1e-6
    assert min(finals) >= 0


@pytest.mark.parametrize("name", FAMILIES)
def test_a_curve_ends_where_its_setting_comes_to(name):
    family = make_family(name, REG)
    for point in draw(REG, 20):
        curve = family.clean(point)
        assert len(curve) == 60
        assert curve[-1] == pytest.approx(family.final(point))


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_measured_is_an_accuracy_that_the_generator_alone_decides(name):
    family = make_family(name, REG)
    for point in draw(REG, 20):
        first, again = (family.observed(point, np.random.default_rng(3)) for _ in range(2))
        assert first == again
        assert first != family.observed(point, np.random.default_rng(4))
        assert all(type(v) is float and 0 <= v <= 1 for v in first)


def test_crossing_curves_cross_the_more_the_stronger():
    at_a_quarter = [agreement(f"crossing-{s}", 15) for s in ("none", "mild", "strong")]
    assert at_a_quarter[0] > 0.85
    assert at_a_quarter[0] > at_a_quarter[1] + 0.3 > at_a_quarter[2] + 0.4
    assert agreement("crossing-strong", 60) == pytest.approx(1)


def test_pairs_of_crossing_curves_change_their_order():
    family = make_family("crossing-strong", REG)
    curves = np.array([family.clean(point) for point in draw(REG, 100)])
    early = curves[:, None, 14] > curves[None, :, 14]
    late = curves[:, None, -1] > curves[None, :, -1]
    assert (early != late).mean() > 0.4


def test_early_epochs_of_hartmann_good_tell_more_than_those_of_bad():
    assert agreement("hartmann-good", 6) > 0.8
    assert agreement("hartmann-bad", 6) < 0.6


def test_noise_is_largest_in_mid_schedule_and_almost_gone_at_the_end():
    noise = Noise(run=0)
    draws = np.array([noise.draw(100, np.random.default_rng(s)) for s in range(400)])
    spread = draws.std(axis=0)
    assert spread[:40].mean() == pytest.approx(noise.epoch, rel=0.05)
    assert spread[95:].mean() < 0.08 * noise.epoch
    assert spread[60] > spread[70] > spread[90]


def test_a_runs_luck_moves_its_whole_curve():
    lucky = Noise(epoch=0, run=0.01)
    first, last = lucky.draw(10, np.random.default_rng(0))[[0, -1]]
    assert first == last != 0


def test_a_family_of_no_strength_has_one_speed():
    family = Crossing.over(REG, strength=0, epochs=60)
    first, second = (family.clean(point) for point in draw(REG, 2))
    assert np.allclose(np.diff(first), np.diff(second))


def test_regret_falls_with_the_budget():
    short = with_budget(REG, min_epochs=2, max_epochs=10)
    curves = {"crossing-mild": make_family("crossing-mild", short)}
    policies = [parse_policy("random+none"), parse_policy("random+none+x10")]
    few, many = compare(short, curves, policies, workers=[4], num_seeds=20, max_total_epochs=80)
    assert many.regret < 0.7 * few.regret
    assert (few.epochs, many.epochs) == (80, 800)
