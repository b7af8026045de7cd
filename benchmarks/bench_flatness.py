"""Flatness of one architecture: losses under weight noise, ours in place and by vmap against a plain loop.

The plain loop is what published code does: a deep copy for every draw, noise tensor by tensor, a DataLoader that
normalises image by image, eager evaluation in torch's default memory layout. 3 sigmas, 4 draws, no base row; one
process, one thread; on the GPU too where there is one. Two sizes: the networks of the CIFAR-10 study on 1,000
validation images, and those of NAS-Bench-201 itself on 256. With the same noise both sides give the same losses; the
note says how nearly.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidebyside import Row, Skipped, side_by_side

SIGMAS = (2e-3, 1e-2, 2e-2)
DRAWS = 4
BATCH = 128
ARCH = "nb201:|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "flatness of one architecture"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    import torch

    from nasanalysis.core.errors import MissingDataError

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    sizes = (("16 x 16, C = 8, N = 1", 16, 8, 1, "pool", 1000), ("32 x 32, C = 16, N = 5", 32, 16, 5, "residual", 256))
    try:
        for device in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
            for label, size, channels, cells, reduction, images in sizes:
                label = f"{name}: {label}, {images} images, {device}"
                try:
                    case = _case(data, device, size, channels, cells, reduction, images)
                except MissingDataError as error:
                    yield Skipped(label, str(error))
                    continue
                yield from _compare(label, case, rounds=1 if size == 32 and device == "cpu" else 3)
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Case:
    """What both sides measure: a network, its images as it takes them, and a loader that makes them one by one."""

    net: Any
    images: Any
    labels: Any
    loader: Any
    device: str


def _case(data: Path | None, device: str, size: int, channels: int, cells: int, reduction: str, images: int) -> Case:
    import torch
    from plain_finetune import Drawn, Shown

    from nasanalysis.core.seeding import torch_generator
    from nasanalysis.loaders.images.read import load_images, split
    from nasanalysis.networks.nb201 import build_network
    from nasanalysis.spaces.skeletons import Skeleton
    from nasanalysis.training.settings import DataConfig
    from nasanalysis.training.tasks import ImageTask

    config = DataConfig(data="cifar10-jpeg", size=size, train=1000, valid=images, crop=0, flip=False)
    task = ImageTask(config, data=data, device=device)
    found = load_images(config.data, data, size=size)
    _, valid = split(found, train=config.train, valid=config.valid, seed=config.split_seed)
    part = (torch.from_numpy(valid.images), torch.from_numpy(valid.labels))
    items = [Drawn(i, 0, 0, False) for i in range(images)]
    shown = Shown(*part, torch.tensor(found.mean), torch.tensor(found.std), 0, items)
    loader = torch.utils.data.DataLoader(shown, batch_size=BATCH, shuffle=False, num_workers=0)
    skeleton = Skeleton(size, 10, channels=channels, cells=cells, reduction=reduction)  # type: ignore[arg-type]
    net = build_network(ARCH, skeleton, torch_generator(0, "bench")).to(device)
    with torch.no_grad():
        net.train()(task.valid[0])  # statistics that belong to these weights
    return Case(net.eval(), *task.valid, loader, device)


def _plain(case: Case, draw: Callable[[Any], Any]) -> list[float]:
    """Losses by sigma, then draw; ``draw(parameter)`` gives noise of its shape and standard deviation 1."""
    import torch

    losses = []
    for sigma in SIGMAS:
        for _ in range(DRAWS):
            net = copy.deepcopy(case.net)
            net.eval()
            total = count = 0.0
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.add_(sigma * draw(parameter))
                for images, labels in case.loader:
                    images, labels = images.to(case.device), labels.to(case.device)
                    loss = torch.nn.functional.cross_entropy(net(images), labels)
                    total += loss.item() * len(labels)
                    count += len(labels)
            losses.append(total / count)
    return losses


def _ours(case: Case, how: str, seed: int = 0) -> list[float]:
    import torch

    from nasanalysis.measures.perturb import perturbed_losses

    table = perturbed_losses(
        case.net,
        case.images,
        case.labels,
        SIGMAS,
        generator=torch.Generator().manual_seed(seed),
        draws=DRAWS,
        how=how,  # type: ignore[arg-type]
    )
    return table["loss"].to_list()


def _difference(case: Case) -> float:
    """Largest relative difference of the losses of the three ways, with the same noise."""
    import torch

    generator = torch.Generator().manual_seed(0)
    sizes = [p.numel() for p in case.net.parameters()]
    noise = {(s, j): torch.randn(sum(sizes), generator=generator) for j in range(DRAWS) for s in SIGMAS}
    parts = (part for s in SIGMAS for j in range(DRAWS) for part in noise[s, j].split(sizes))
    plain = _plain(case, lambda p: next(parts).view(p.shape).to(p.device))
    return max(
        abs(theirs / own - 1)
        for how in ("in_place", "vmap")
        for theirs, own in zip(plain, _ours(case, how), strict=True)
    )


def _compare(name: str, case: Case, rounds: int) -> Iterator[Row]:
    import torch

    note = f"{len(SIGMAS)} sigmas, {DRAWS} draws; with the same noise losses differ by at most {_difference(case):.0e}"
    for how in ("in_place", "vmap"):
        yield side_by_side(
            f"{name}, {how}",
            lambda: _plain(case, torch.randn_like),
            lambda how=how: _ours(case, how),
            peer_name="plain loop",
            rounds=rounds,
            note=note,
        )
