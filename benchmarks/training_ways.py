"""Three ways to train: what a user would write, ours, and what the network itself allows."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.device import place, resolve_precision
from seresnet.download import import_cifar10
from seresnet.graph import record
from seresnet.model import SEResNet
from seresnet.train import TrainState, train

BATCH = 128
CONFIG = TrainConfig(epochs=100_000, warmup_epochs=0, batch_size=BATCH)
Take = Callable[[int], None]
"""Takes so many steps, then waits for the device."""


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images that torchvision's transforms change one by one, as in the seed recipe."""

    def __init__(self, data: Split) -> None:
        import_cifar10()  # makes torchvision importable beside a torch for CPUs alone
        from torchvision import transforms

        c = CONFIG
        self._images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in data.images]
        self._labels = data.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.ColorJitter(c.brightness, c.contrast, c.saturation, c.hue),
                transforms.RandomCrop(32, padding=c.crop_padding),
                transforms.RandomHorizontalFlip(c.flip_probability),
                transforms.ToTensor(),
                transforms.Normalize(c.mean, c.std),
                self._cutout,
            ]
        )

    @staticmethod
    def _cutout(image: Tensor) -> Tensor:
        row, column = torch.randint(32, (2,)).tolist()
        half = CONFIG.cutout_size // 2
        image[:, max(0, row - half) : row + half, max(0, column - half) : column + half] = 0
        return image

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._images[index]), self._labels[index]


def wait(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rival(data: Split, device: torch.device, workers: int) -> Take:
    """Return the way that a user would write."""
    network = SEResNet(channels=CONFIG.channels).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(
        Pictures(data),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = endless()

    def take(num_steps: int) -> None:
        for _ in range(num_steps):
            images, labels = (part.to(device, non_blocking=True) for part in next(batches))
            lam = torch.distributions.Beta(0.4, 0.4).sample().item()
            order = torch.randperm(len(labels), device=device)
            kept = F.dropout(torch.ones(len(labels), CONFIG.channels[-1], device=device), 0.2)
            logits = network(lam * images + (1 - lam) * images[order], kept)
            loss = lam * F.cross_entropy(logits, labels, label_smoothing=0.08)
            loss = loss + (1 - lam) * F.cross_entropy(logits, labels[order], label_smoothing=0.08)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        wait(device)

    return take


def ours(data: Split, device: torch.device) -> Take:
    """Return our way: epochs that are as long as a round."""
    state = TrainState.create(CONFIG, device)
    epochs = train(state, data, None)

    def take(num_steps: int) -> None:
        assert num_steps * BATCH == len(data), "an epoch is a round"
        next(epochs)
        wait(device)

    return take


def limit(data: Split, device: torch.device) -> Take:
    """Return the network on fixed tensors, with PyTorch's own mixed precision and optimiser."""
    network = place(SEResNet(channels=CONFIG.channels), device).train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True
    )
    dtype = resolve_precision(CONFIG.precision, device)
    images = (data.images[:BATCH].to(device) / 255).contiguous(memory_format=torch.channels_last)
    labels = data.labels[:BATCH].to(device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = network(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    repeat = step
    if device.type == "cuda":
        repeat = record(lambda: None, step)

    def take(num_steps: int) -> None:
        for _ in range(num_steps):
            repeat()
        wait(device)

    return take
