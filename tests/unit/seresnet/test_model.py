import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seresnet.model import BasicBlock, SEResNet, SqueezeExcitation, num_parameters

TINY = (8, 8, 16, 16)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SEResNet(channels=TINY).eval()


def block(in_channels=6, channels=6, *, stride=1, attention=True):
    """A block whose norms do something, in evaluation mode."""
    torch.manual_seed(1)
    made = BasicBlock(in_channels, channels, stride=stride, attention=attention).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.5, 1.0)
    return made


def branch(made, features):
    """What the block's two convolutions make, before attention and addition."""
    return made.bn2(made.conv2(F.relu(made.bn1(made.conv1(features)))))


@pytest.mark.parametrize("num", [1, 3])
@pytest.mark.parametrize("channels", [TINY, (5, 3, 17, 33), (1, 1, 1, 1)], ids=str)
def test_images_of_any_count_and_stages_of_any_width_give_ten_logits(channels, num):
    logits = SEResNet(channels=channels).eval()(torch.rand(num, 3, 32, 32))
    assert logits.shape == (num, 10)
    assert logits.dtype == torch.float32


def test_stages_halve_the_image_three_times_and_have_their_widths(model):
    features, shapes = model.stem(torch.rand(2, 3, 32, 32)), []
    shapes.append(tuple(features.shape[1:]))
    for made in model.stages:
        features = made(features)
        shapes.append(tuple(features.shape[1:]))
    assert shapes == [
        (8, 32, 32),
        (8, 32, 32), (8, 32, 32),
        (8, 16, 16), (8, 16, 16),
        (16, 8, 8), (16, 8, 8),
        (16, 4, 4), (16, 4, 4),
    ]  # fmt: skip


def test_only_the_two_deeper_stages_have_attention(model):
    has_attention = [isinstance(made.attention, SqueezeExcitation) for made in model.stages]
    assert has_attention == [False] * 4 + [True] * 4
    named = {name.split(".")[1] for name, _ in model.named_parameters() if "attention" in name}
    assert named == {"4", "5", "6", "7"}


@pytest.mark.parametrize(
    ("excite", "scale"),
    [
        pytest.param(-1e4, 0.0, id="closed"),
        pytest.param(0.0, 0.5, id="half-open"),
        pytest.param(1e4, 1.0, id="open"),
    ],
)
def test_attention_scales_the_branch_and_not_the_shortcut(excite, scale):
    made = block()
    made.attention.squeeze.weight.data.fill_(1.0)  # the norm's bias makes the pooled values > 0
    made.attention.excite.weight.data.fill_(excite)
    features = torch.randn(2, 6, 8, 8)
    expected = F.relu(scale * branch(made, features) + features)
    torch.testing.assert_close(made(features), expected)


def test_attention_weighs_each_channel_of_each_image_by_its_own_mean():
    attention = SqueezeExcitation(32)
    assert attention.squeeze.weight.shape == (2, 32)  # reduction 16
    features = torch.rand(3, 32, 4, 4)
    pooled = features.mean(dim=(2, 3))
    hidden = F.relu(pooled @ attention.squeeze.weight.T)
    weights = 1 / (1 + torch.exp(-(hidden @ attention.excite.weight.T)))
    torch.testing.assert_close(attention(features), features * weights[:, :, None, None])


@pytest.mark.parametrize(("channels", "hidden"), [(4, 1), (16, 1), (31, 1), (128, 8), (256, 16)])
def test_attention_keeps_a_sixteenth_of_the_channels_and_at_least_one(channels, hidden):
    assert SqueezeExcitation(channels).squeeze.out_features == hidden


def test_a_block_without_attention_adds_its_branch_to_the_input():
    made = block(attention=False)
    features = torch.randn(2, 6, 8, 8)
    torch.testing.assert_close(made(features), F.relu(branch(made, features) + features))


@pytest.mark.parametrize(
    ("in_channels", "channels", "stride"),
    [
        pytest.param(6, 6, 2, id="smaller-image"),
        pytest.param(6, 12, 1, id="more-channels"),
        pytest.param(6, 12, 2, id="both"),
    ],
)
def test_shortcut_is_a_1x1_convolution_and_a_norm_where_the_shape_changes(
    in_channels, channels, stride
):
    made = block(in_channels, channels, stride=stride, attention=False)
    convolution, norm = made.shortcut
    assert convolution.kernel_size == (1, 1)
    features = torch.randn(2, in_channels, 8, 8)
    every_other = features[:, :, ::stride, ::stride]
    projected = norm(torch.einsum("ki,nihw->nkhw", convolution.weight[:, :, 0, 0], every_other))
    torch.testing.assert_close(made(features), F.relu(branch(made, features) + projected))


def test_shortcut_is_the_input_itself_where_the_shape_stays(model):
    is_identity = [isinstance(made.shortcut, nn.Identity) for made in model.stages]
    # the first block of stage 1 keeps the stem's shape; stages 2 and 4 keep the width, not the size
    assert is_identity == [True, True, False, True, False, True, False, True]


def test_only_the_stems_convolution_and_the_last_layer_have_a_bias(model):
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None
    ]
    assert layers == ["stem.0", "classifier"]


def pooled_by(model, images, mask):
    """The input of the last layer."""
    seen = []
    hook = model.classifier.register_forward_hook(lambda _module, inputs, _out: seen.append(inputs))
    logits = model(images, mask)
    hook.remove()
    return seen[0][0], logits


def test_dropout_mask_multiplies_the_pooled_features(model):
    images = torch.rand(3, 3, 32, 32)
    mask = torch.tensor([0.0, 1.25]).repeat(3, TINY[-1] // 2)
    mask[2] = 0
    plain, _ = pooled_by(model, images, None)
    masked, logits = pooled_by(model, images, mask)
    torch.testing.assert_close(masked, plain * mask)
    assert torch.equal(logits[2], model.classifier.bias)  # everything was dropped


def test_pooled_features_are_the_mean_over_the_last_stages_image(model):
    images = torch.rand(2, 3, 32, 32)
    pooled, _ = pooled_by(model, images, None)
    torch.testing.assert_close(pooled, model.stages(model.stem(images)).mean(dim=(2, 3)))


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    made = SEResNet(channels=(8, 16, 32, 64)).train()
    made(torch.rand(8, 3, 32, 32)).square().sum().backward()
    assert [name for name, p in made.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("count", [3, 5])
def test_other_numbers_of_stages_are_refused(count):
    with pytest.raises(ValueError, match="zip"):
        SEResNet(channels=(4,) * count)


def test_parameters_that_are_not_trained_are_not_counted():
    model = SEResNet(channels=TINY)
    every = num_parameters(model)
    model.classifier.requires_grad_(False)
    assert every - num_parameters(model) == TINY[-1] * 10 + 10
