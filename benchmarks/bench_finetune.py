"""Finetuning: ours against plain published-style code (plain_finetune.py), per architecture; equal results.

One process, one thread, both sides. Two sizes: the networks of the CIFAR-10 study (reports/configs/), on the real
images where they are here, and the digits networks. Ours as a study runs it, every architecture from several supernets
at once (three seeds; six for the digits networks), and one at a time; and our time over that of the bare forward and
backward passes. Weights are fresh: the work does not depend on them.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidebyside import Row, Skipped, seconds

ARCHS = 4
STEPS = 30
ROUNDS = 3

#: Images of the validation half of CIFAR-10 in NAS-Bench-201's split.
WHOLE = 25_000


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "finetune one architecture"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    import torch

    from nasanalysis.core.errors import MissingDataError

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for label, make, together in (("16 x 16, C = 8, N = 1", _study, 3), ("digits networks", _digits, 6)):
            try:
                case = make(data)
            except MissingDataError as error:
                yield Skipped(f"{name}: {label}", str(error))
                continue
            yield from _compare(f"{name}: {label}", case, together)
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Case:
    """What both sides finetune."""

    net: Any
    plain_net: Any  # the same weights in torch's default memory layout
    task: Any
    plain: Any
    settings: Any
    archs: list[str]


def _case(config: Any, network: Any, data: Path | None) -> Case:
    import copy

    import torch
    from plain_finetune import loaders

    from nasanalysis.core.seeding import generator, torch_generator
    from nasanalysis.loaders.images.read import load_images, split
    from nasanalysis.networks.build import build_supernet
    from nasanalysis.spaces.nb201 import SPACE
    from nasanalysis.training.settings import FinetuneSettings
    from nasanalysis.training.tasks import ImageTask

    settings = FinetuneSettings(minibatches=STEPS, val_acc_every=STEPS, recalibration=512)
    task = ImageTask(config, data=data)
    net = build_supernet("nb201", network, task, torch_generator(0, "bench"))
    found = load_images(config.data, data, size=config.size)
    train, valid = split(found, train=config.train, valid=config.valid, seed=config.split_seed)
    parts = [(torch.from_numpy(p.images), torch.from_numpy(p.labels)) for p in (train, valid)]
    mean, std = torch.tensor(found.mean), torch.tensor(found.std)
    plain = loaders(parts[0], parts[1], mean, std, settings, seed=0, crop=config.crop, flip=config.flip)
    archs = [str(a) for a in SPACE.sample(ARCHS, generator(0, "bench", "finetune"))]
    plain_net = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
    return Case(net, plain_net, task, plain, settings, archs)


def _study(data: Path | None) -> Case:
    from nasanalysis.live.config import NetworkConfig
    from nasanalysis.training.settings import DataConfig

    config = DataConfig(data="cifar10-jpeg", size=16, train=12_000, valid=1000, crop=2)
    return _case(config, NetworkConfig(channels=8, cells=1, reduction="pool"), data)


def _digits(data: Path | None) -> Case:
    from nasanalysis.live.config import NetworkConfig
    from nasanalysis.training.settings import DataConfig

    # scikit-learn's 8 x 8 digits as images: padded to 12 x 12 they have the digits benchmark's size
    config = DataConfig(data="digits", size=12, train=1000, valid=297, crop=2, flip=False)
    return _case(config, NetworkConfig(channels=4, cells=1, reduction="pool", stem_kernel=1), data)


def _compare(name: str, case: Case, together: int) -> Iterator[Row]:
    import plain_finetune

    from nasanalysis.training.finetune import draw_batches, finetune, finetune_together

    batches = draw_batches(case.task, case.settings, seed=0)

    def several(arch: str) -> Any:
        return finetune_together([case.net.subnet(arch) for _ in range(together)], batches, case.settings)

    several(case.archs[0])  # warm
    costs: dict[str, list[float]] = {"plain": [], "together": [], "alone": [], "bare": []}
    for arch in case.archs * ROUNDS:
        costs["plain"].append(
            seconds(lambda arch=arch: plain_finetune.finetune(case.plain_net, arch, case.plain, case.settings))
        )
        costs["together"].append(seconds(lambda arch=arch: several(arch)) / together)
        costs["alone"].append(seconds(lambda arch=arch: finetune(case.net.subnet(arch), batches, case.settings)))
        costs["bare"].append(_bare(case, arch, batches))
    plain, mine, alone, bare = (statistics.mean(each) for each in costs.values())
    difference = _difference(case, batches)
    note = (
        f"{STEPS} minibatches of 64, everything read at every step, mean of {ARCHS} architectures; in double precision "
        f"and on the same pixels SoTL, SoG and SoGN differ by at most {difference:.0e}"
    )
    yield Row(f"{name}, {together} supernets at once", plain, mine, "s", "plain code", note)
    yield Row(f"{name}, one at a time", plain, alone, "s", "plain code", note)
    note = "ratio: ours, with everything that is read, over forward and backward passes alone, one network at a time"
    yield Row(f"{name}, over the bare passes, together", mine, bare, "s", "ours", note)
    yield Row(f"{name}, over the bare passes, alone", alone, bare, "s", "ours", note)
    sotl, val_acc = (
        statistics.mean(each) for each in zip(*(_sotl_and_val_acc(case, a) for a in case.archs), strict=True)
    )
    images = len(case.task.valid[1])
    note = (
        f"SoTL: 100 minibatches of 64; accuracy: {images:,} images scaled to {WHOLE:,}, the validation half of "
        "CIFAR-10, and batch-norm statistics from 512"
    )
    yield Row(
        f"{name}: SoTL against validation accuracy", val_acc * WHOLE / images, sotl, "s", "validation accuracy", note
    )


def _difference(case: Case, batches: Any) -> float:
    """Largest relative difference of the results of both sides, in double precision."""
    import copy

    import plain_finetune

    from nasanalysis.training.finetune import Batches, finetune, finetune_together

    net = copy.deepcopy(case.net).double()
    pairs = [[(x.double(), y) for x, y in part] for part in (batches.train, batches.valid, batches.whole)]
    images = [x.double() for x in batches.recalibration]
    same = Batches(pairs[0], pairs[1], images, pairs[2])
    plain = plain_finetune.Plain(pairs[0], pairs[1], [(x, None) for x in images], pairs[2])
    worst = 0.0
    for arch in case.archs:
        theirs = plain_finetune.finetune(net, arch, plain, case.settings)
        pair = finetune_together([net.subnet(arch), net.subnet(arch)], same, case.settings)
        for rows in (finetune(net.subnet(arch), same, case.settings), *pair):
            last = rows.row(-1, named=True)
            worst = max(worst, *(abs(last[k] / theirs[k] - 1) for k in ("sotl", "sog", "sogn")))
    return worst


def _sotl_and_val_acc(case: Case, arch: str) -> tuple[float, float]:
    """Seconds of SoTL over 100 minibatches, and of accuracy on the whole validation part, from inherited weights."""
    from dataclasses import replace

    import torch

    from nasanalysis.networks.batchnorm import own_statistics
    from nasanalysis.training.finetune import draw_batches, finetune

    settings = case.settings.changed(minibatches=100, valid_batch=0, gradients=False)
    batches = draw_batches(case.task, settings, seed=0)
    net = case.net.subnet(arch)

    @torch.no_grad()
    def accuracy() -> None:
        with own_statistics(net, batches.recalibration):
            sum((net(x).argmax(1) == y).sum() for x, y in batches.whole)

    spent = seconds(accuracy)
    return seconds(lambda: finetune(net, replace(batches, whole=[]), settings)), spent


def _bare(case: Case, arch: str, batches: Any) -> float:
    """Seconds of the forward and backward passes alone, on minibatches that are ready."""
    from torch import nn

    net = case.net.subnet(arch).train()

    def run() -> None:
        for images, labels in batches.train:
            nn.functional.cross_entropy(net(images), labels).backward()
            net.zero_grad(set_to_none=True)

    return seconds(run)
