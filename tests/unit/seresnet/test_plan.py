from dataclasses import replace

import pytest
import torch

from seresnet.augment import NUM_DRAWS
from seresnet.config import TrainConfig
from seresnet.draws import beta, derive_seed, permutation, uniform
from seresnet.plan import Plan, mixup_alpha_at

CPU = torch.device("cpu")


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, batch_size=16, dropout=0.25, epochs=3, warmup_epochs=1, seed=5)


def filled(config, num_images, epoch):
    plan = Plan.create(config, num_images, CPU)
    plan.fill(config, epoch)
    return plan


def rows(plan):
    return [plan.row(torch.tensor([step]), size) for step, size in enumerate(plan.sizes)]


@pytest.mark.parametrize(
    ("num_images", "sizes"),
    [
        pytest.param(48, [16, 16, 16], id="whole-batches"),
        pytest.param(40, [16, 16, 8], id="some-left-over"),
        pytest.param(5, [5], id="less-than-a-batch"),
    ],
)
def test_each_image_is_in_one_batch(config, num_images, sizes):
    plan = filled(config, num_images, epoch=1)
    assert plan.sizes == sizes
    indices = torch.cat([row.indices_N for row in rows(plan)])
    assert indices.sort().values.tolist() == list(range(num_images))


def test_every_draw_is_a_function_of_seed_epoch_and_image_or_step(config):
    plan, epoch = filled(config, 40, epoch=2), 2
    for step, row in enumerate(rows(plan)):
        key = derive_seed(config.seed, 1, epoch)
        assert torch.equal(row.draws_NK, uniform(key, row.indices_N, NUM_DRAWS))
        key = derive_seed(config.seed, 3, epoch, step)
        assert torch.equal(row.partners_N, permutation(key, len(row.indices_N), CPU))
        key = derive_seed(config.seed, 2, epoch)
        lam = beta(key, step, mixup_alpha_at(config, epoch))
        assert row.lam.item() == pytest.approx(lam, rel=1e-6)
        key = derive_seed(config.seed, 4, epoch, step)
        draws = uniform(key, torch.arange(len(row.indices_N)), config.channels[-1])
        assert torch.equal(row.is_kept_NC, draws >= 0.25)


def test_tables_keep_their_addresses_and_forget_the_run_before(config):
    plan = filled(config, 40, epoch=0)
    tables = [value for value in vars_of(plan) if isinstance(value, torch.Tensor)]
    addresses = [table.data_ptr() for table in tables]
    other = replace(config, seed=6, lr=0.2, dropout=0.0, mixup_alpha=0.0)
    plan.fill(other, epoch=1)
    assert [table.data_ptr() for table in tables] == addresses
    fresh = vars_of(filled(other, 40, epoch=1))
    assert all(torch.equal(a, b) for a, b in zip(tables, fresh[1:], strict=True))


def vars_of(plan):
    return [getattr(plan, name) for name in plan.__dataclass_fields__]


def test_alternating_flips_turn_each_image_in_one_of_two_epochs(config):
    config = replace(config, alternating_flip=True, epochs=9)

    def flips(epoch, seed=5):
        plan = filled(replace(config, seed=seed), 1000, epoch)
        draws = torch.cat([row.draws_NK for row in rows(plan)])
        return (draws[:, 10] < 0.5)[torch.cat([row.indices_N for row in rows(plan)]).argsort()]

    first = flips(0)
    assert first.float().mean() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(flips(1), ~first)
    assert torch.equal(flips(8), first)
    assert not torch.equal(flips(0, seed=6), first)


def test_alternating_flips_leave_all_other_draws_alone(config):
    plain, alternating = (
        filled(replace(config, alternating_flip=each), 40, 1).draws_SNK for each in (False, True)
    )
    differs = (plain != alternating).flatten(0, 1).any(0)
    assert differs.nonzero().flatten().tolist() == [10]


def test_cutmix_takes_its_share_of_the_batches_and_leaves_mixup_the_others(config):
    plain = filled(config, 8000, 1)
    plan = filled(replace(config, cutmix_probability=0.3), 8000, 1)
    assert plain.share_SHW.shape == (500, 1, 1)
    assert torch.equal(plain.share_SHW[:, 0, 0], plain.lam_S)
    is_box = ((plan.share_SHW == 0) | (plan.share_SHW == 1)).flatten(1).all(1)
    assert is_box.float().mean() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(plan.lam_S[~is_box], plain.lam_S[~is_box])
    # The label's share is that of the image's own pixels.
    torch.testing.assert_close(plan.share_SHW.mean((1, 2)), plan.lam_S)
    assert torch.equal(plan.partners_SN, plain.partners_SN)


def test_cutmix_boxes_are_torchvisions(config):
    """A box of each pair of centres, as `torchvision.transforms.v2.CutMix` makes it."""
    num = 2000
    plan = filled(replace(config, cutmix_probability=1.0), 16 * num, 2)
    _, area, row, column = uniform(derive_seed(5, 5, 2), torch.arange(num), 4).unbind(1)
    for step in range(num):
        half = int(0.5 * area[step].item() ** 0.5 * 32)
        y, x = int(row[step] * 32), int(column[step] * 32)
        expected = torch.ones(32, 32)
        expected[max(0, y - half) : min(32, y + half), max(0, x - half) : min(32, x + half)] = 0
        assert torch.equal(plan.share_SHW[step], expected)
    assert plan.lam_S.mean() > 0.5  # boxes at the border lose what lies outside


def test_settings_are_those_of_the_epoch(config):
    plan = Plan.create(config, 40, CPU)
    config = replace(config, momentum=0.8, weight_decay=0.01, label_smoothing=0.1, dropout=0.5)
    lr = plan.fill(config, 0)
    assert lr == pytest.approx(0.1)
    assert plan.step_scale.item() == pytest.approx(-0.1)
    assert plan.momentum.item() == pytest.approx(0.8)
    assert plan.weight_decay.item() == pytest.approx(0.01)
    assert plan.label_smoothing.item() == pytest.approx(0.1)
    assert plan.dropout_scale.item() == pytest.approx(2.0)


def test_dropout_keeps_the_expected_share(config):
    config = replace(config, batch_size=1000)
    (row,) = rows(filled(config, 1000, epoch=0))
    assert row.is_kept_NC.float().mean() == pytest.approx(0.75, abs=0.01)


def test_without_dropout_and_mixup_everything_is_kept_as_it_is(config):
    plan = filled(replace(config, dropout=0.0, mixup_alpha=0.0), 40, epoch=0)
    assert plan.is_kept_SNC.all()
    assert plan.dropout_scale.item() == 1.0
    assert plan.lam_S.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("start", "end", "epoch", "alpha"),
    [
        pytest.param(0.4, 0.1, 0, 0.4, id="seed-starts-at-0.4"),
        pytest.param(0.4, 0.1, 125, 0.2, id="seed-halves-in-the-middle"),
        pytest.param(0.4, 0.1, 249, 0.1, id="seed-ends-at-its-floor"),
        pytest.param(0.05, 0.1, 0, 0.05, id="a-start-below-the-floor-stays"),
        pytest.param(0.0, 0.1, 7, 0.0, id="zero-is-off"),
    ],
)
def test_mixup_alpha_decays_to_its_floor(start, end, epoch, alpha):
    config = TrainConfig(mixup_alpha=start, mixup_alpha_end=end)
    assert mixup_alpha_at(config, epoch) == pytest.approx(alpha)
