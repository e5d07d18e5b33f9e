"""Logits for uint8 images, with or without mirror averaging."""

import torch
from torch import Tensor, nn

from seresnet.augment import normalise_images
from seresnet.config import TrainConfig

_BATCH_SIZES = {"cuda": 2500}  # a GPU would wait for the host with less
_BATCH_SIZE = 500


@torch.no_grad()
def predict(
    model: nn.Module,
    images: Tensor,
    *,
    config: TrainConfig,
    dtype: torch.dtype = torch.float32,
    mirror: bool = False,
) -> Tensor:
    """Return logits (n, 10), float32, on the model's device; the model is left in its mode.

    Args:
        model: takes normalised images.
        images: (n, 3, 32, 32), uint8, on any device.
        config: gives the normalisation the model was trained with.
        dtype: arithmetic of the forward pass, float32 or bfloat16.
        mirror: average the logits of each image and of its mirror image.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    logits = []
    for batch in images.split(_BATCH_SIZES.get(device.type, _BATCH_SIZE)):
        inputs = normalise_images(batch.to(device), config)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs = model(inputs).float()
            if mirror:
                outputs = (outputs + model(inputs.flip(3)).float()) / 2
        logits.append(outputs)
    model.train(was_training)
    return torch.cat(logits)
