"""Finetuning as published code does it: the reference that bench_finetune.py measures against.

Every architecture gets a deep copy of the whole supernet; a DataLoader crops, flips and normalises image by image;
plain eager SGD; losses and accuracies are taken to Python at every step; sums of gradients are kept tensor by
tensor. Same images, same augmentation, same steps, same dtype and threads as ours, so the numbers must agree.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nasanalysis.core.seeding import torch_generator
from nasanalysis.networks.base import Supernet
from nasanalysis.training.settings import FinetuneSettings
from nasanalysis.training.stream import Stream


@dataclass(frozen=True)
class Drawn:
    """One training image as it will be shown: which, its corner in the padded image, mirrored or not."""

    index: int
    top: int
    left: int
    mirrored: bool


class Shown(Dataset[tuple[Tensor, int]]):
    """Padded, cropped, mirrored and normalised one by one, as image transforms do."""

    def __init__(self, images: Tensor, labels: Tensor, mean: Tensor, std: Tensor, crop: int, items: Sequence[Drawn]):
        self.images, self.labels, self.items = images, labels, items  # (n, height, width, channels) uint8
        self.mean, self.std, self.crop = mean[:, None, None], std[:, None, None], crop

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        item = self.items[place]
        image = self.images[item.index].permute(2, 0, 1).float().div(255)
        if self.crop:
            size = image.shape[-1]
            image = nn.functional.pad(image, [self.crop] * 4)
            image = image[:, item.top : item.top + size, item.left : item.left + size]
        if item.mirrored:
            image = image.flip(-1)
        return (image - self.mean) / self.std, int(self.labels[item.index])


def drawn(order: Iterator[Tensor], generator: torch.Generator, crop: int, flip: bool) -> list[Drawn]:
    """The draws of `nasanalysis.training.batches`, minibatch by minibatch: tops, lefts, mirrors."""
    items = []
    for index in order:
        n = len(index)
        tops = torch.randint(2 * crop + 1, (n,), generator=generator).tolist() if crop else [0] * n
        lefts = torch.randint(2 * crop + 1, (n,), generator=generator).tolist() if crop else [0] * n
        mirrors = torch.randint(2, (n,), generator=generator).tolist() if flip else [0] * n
        items += [Drawn(*row) for row in zip(index.tolist(), tops, lefts, map(bool, mirrors), strict=True)]
    return items


@dataclass(frozen=True)
class Plain:
    """Loaders of one finetuning: iterables of (images, labels)."""

    train: Iterable[tuple[Tensor, Tensor]]
    valid: Iterable[tuple[Tensor, Tensor]]
    recalibration: Iterable[tuple[Tensor, Tensor | None]]
    whole: Iterable[tuple[Tensor, Tensor]]


def loaders(
    train: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    mean: Tensor,
    std: Tensor,
    settings: FinetuneSettings,
    *,
    seed: int,
    crop: int,
    flip: bool,
) -> Plain:
    """The minibatches of `nasanalysis.training.finetune.draw_batches`, image by image."""

    def loader(part: tuple[Tensor, Tensor], items: Sequence[Drawn], size: int) -> DataLoader[tuple[Tensor, int]]:
        padding = crop if part is train else 0
        return DataLoader(Shown(*part, mean, std, padding, items), batch_size=size, shuffle=False, num_workers=0)

    stream = Stream(len(train[1]), settings.batch_size, torch_generator(seed, "finetune", "order"))
    augment = torch_generator(seed, "finetune", "augmentation")
    steps = drawn((stream() for _ in range(settings.minibatches)), augment, crop, flip)
    held = Stream(len(valid[1]), settings.valid_batch, torch_generator(seed, "finetune", "validation"))
    minis = [Drawn(i, 0, 0, False) for _ in range(settings.minibatches + 1) for i in held().tolist()]
    again = torch_generator(seed, "finetune", "recalibration")
    chosen = torch.randperm(len(train[1]), generator=again)[: settings.recalibration]
    return Plain(
        loader(train, steps, settings.batch_size),
        loader(valid, minis, settings.valid_batch),
        loader(train, drawn(iter(chosen.split(128)), again, crop, flip), 128),
        loader(valid, [Drawn(i, 0, 0, False) for i in range(len(valid[1]))], 128),
    )


def recalibrate(net: Supernet, choice: object, loader: Iterable[tuple[Tensor, Tensor | None]]) -> None:
    """Fresh batch-norm statistics: the mean over the loader's minibatches."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    net.train()
    with torch.no_grad():
        for images, _ in loader:
            net(images, choice)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1


def whole_accuracy(net: Supernet, choice: object, plain: Plain) -> float:
    """Percent, with statistics of its own on a copy."""
    net = copy.deepcopy(net)
    recalibrate(net, choice, plain.recalibration)
    net.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in plain.whole:
            right += (net(images, choice).argmax(1) == labels).sum().item()
            count += len(labels)
    return 100 * right / count


def finetune(supernet: Supernet, arch: str, plain: Plain, settings: FinetuneSettings) -> dict[str, float]:
    """``sotl, sovl, sog, sogn, val_acc`` of one architecture after all minibatches."""
    net = copy.deepcopy(supernet)
    choice = net.choice(arch)
    recalibrate(net, choice, plain.recalibration)
    optimiser = torch.optim.SGD(
        net.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=True,
    )
    before = whole_accuracy(net, choice, plain)
    valid = iter(plain.valid)
    sotl = sovl = sogn = 0.0
    total: dict[str, Tensor] = {}

    def validate() -> tuple[float, float]:
        """Loss and accuracy of the next validation minibatch."""
        net.eval()
        images, labels = next(valid)
        with torch.no_grad():
            logits = net(images, choice)
            accuracy = (logits.argmax(1) == labels).float().mean().item()
            return nn.functional.cross_entropy(logits, labels).item(), accuracy

    validate()
    for images, labels in plain.train:
        net.train()
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(images, choice), labels)
        loss.backward()
        for name, weight in net.named_parameters():
            if weight.grad is not None:
                sogn += weight.grad.abs().sum().item()
                total[name] = total.get(name, 0) + weight.grad.clone()
        optimiser.step()
        sotl += loss.item()
        sovl += validate()[0]
    sog = sum(value.abs().sum().item() for value in total.values())
    after = whole_accuracy(net, choice, plain)
    return {"sotl": sotl, "sovl": sovl, "sog": sog, "sogn": sogn, "val_acc_before": before, "val_acc": after}
