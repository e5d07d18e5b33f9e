"""The architecture: a residual network with squeeze-and-excitation in its two deeper stages.

Shape letters: N images, C channels, H and W pixels, K classes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_CLASSES = 10
_BLOCKS_PER_STAGE = 2
_STRIDES = (1, 2, 2, 2)
_STAGES_WITH_ATTENTION = (2, 3)
_REDUCTION = 16


class BatchNorm(nn.BatchNorm2d):
    """Without a counter of batches: it is read only where there is no momentum.

    To count takes an operation a layer in each step.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.num_batches_tracked = None


class SqueezeExcitation(nn.Module):
    """Weighs the channels of an image by what the whole image holds.

    Source: Hu et al. 2018, https://arxiv.org/abs/1709.01507, section 3; here without biases.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // _REDUCTION)  # narrow networks keep one unit
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)

    def forward(self, features_NCHW: Tensor) -> Tensor:
        """Return the features, each channel scaled by a weight in (0, 1)."""
        pooled_NC = features_NCHW.mean(dim=(2, 3))
        weights_NC = torch.sigmoid(self.excite(F.relu(self.squeeze(pooled_NC))))
        return features_NCHW * weights_NC[:, :, None, None]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; attention, where asked for, before the addition.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 3.3, shortcut B.
    """

    def __init__(self, in_channels: int, channels: int, *, stride: int, attention: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(channels)
        self.attention = SqueezeExcitation(channels) if attention else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), BatchNorm(channels)
            )

    def forward(self, features_NCHW: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride)."""
        hidden_NCHW = F.relu(self.bn1(self.conv1(features_NCHW)))
        hidden_NCHW = self.attention(self.bn2(self.conv2(hidden_NCHW)))
        return F.relu(hidden_NCHW + self.shortcut(features_NCHW))


class SEResNet(nn.Module):
    """Stem, four stages of two blocks, average pool, one linear layer.

    Dropout is an argument of `forward` rather than a layer: the mask is drawn by the caller from
    (seed, step), so that a resumed run drops the same features as one that never stopped.

    Args:
        channels: width of the four stages; (32, 64, 128, 256) makes 2,818,122 parameters.
    """

    def __init__(self, *, channels: Sequence[int]) -> None:
        super().__init__()
        # Before a norm a bias does nothing, but the seed recipe has it and counts it.
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, padding=1, bias=True),
            BatchNorm(channels[0]),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        in_channels = channels[0]
        for stage, (width, stride) in enumerate(zip(channels, _STRIDES, strict=True)):
            for block in range(_BLOCKS_PER_STAGE):
                blocks.append(
                    BasicBlock(
                        in_channels,
                        width,
                        stride=stride if block == 0 else 1,
                        attention=stage in _STAGES_WITH_ATTENTION,
                    )
                )
                in_channels = width
        self.stages = nn.Sequential(*blocks)
        self.classifier = nn.Linear(in_channels, NUM_CLASSES)

    def forward(self, images_NCHW: Tensor, dropout_mask_NC: Tensor | None = None) -> Tensor:
        """Return logits (N, K).

        Args:
            images_NCHW: (N, 3, 32, 32), float, normalised.
            dropout_mask_NC: (N, last width), 0 or 1 / (1 - p), multiplied into the pooled features;
                none for evaluation.
        """
        pooled_NC = self.stages(self.stem(images_NCHW)).mean(dim=(2, 3))
        if dropout_mask_NC is not None:
            # The mask is float32: 1 / (1 - p) in bfloat16 would be off by up to 0.4%.
            pooled_NC = (pooled_NC * dropout_mask_NC).to(pooled_NC.dtype)
        logits_NK: Tensor = self.classifier(pooled_NC)
        return logits_NK


def num_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters, as the competition counts them."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
