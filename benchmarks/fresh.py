"""What the profiles start from: the first finetuning of a configuration, with fresh weights."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

from nasanalysis.core.seeding import generator, torch_generator
from nasanalysis.live.config import SupernetConfig
from nasanalysis.networks.base import Supernet
from nasanalysis.networks.build import build_supernet
from nasanalysis.spaces import get_space
from nasanalysis.training.finetune import Batches, draw_batches
from nasanalysis.training.settings import FinetuneSettings
from nasanalysis.training.tasks import load_task


@dataclass(frozen=True)
class Fresh:
    """A supernet whose weights are not trained (the work does not depend on them), its minibatches, architectures."""

    net: Supernet
    settings: FinetuneSettings
    batches: Batches
    archs: list[str]


def options(description: str, archs: int) -> argparse.ArgumentParser:
    """The options that every profile has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=Path("reports/configs/nb201_cifar10.toml"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--archs", type=int, default=archs)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    return parser


def fresh(args: argparse.Namespace) -> Fresh:
    """What `options` ask for, in a process of one thread."""
    torch.set_num_threads(1)
    config = SupernetConfig.load(args.config)
    settings = config.finetune[0].settings
    task = load_task(config.data, data=args.data, device=args.device)
    net = build_supernet(config.space, config.network, task, torch_generator(0, "profile"), device=args.device)
    archs = get_space(config.space).sample(args.archs, generator(0, "profile"))
    return Fresh(net, settings, draw_batches(task, settings, seed=0), list(archs))
