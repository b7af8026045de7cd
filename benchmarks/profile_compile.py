"""Whether torch.compile pays in a finetuning: its cost before the first step, and what each step gains.

python benchmarks/profile_compile.py [--config reports/configs/nb201_cifar10.toml] [--data DATA] [--archs 3]

Every architecture is a graph of its own, so it is compiled anew. On CUDA the mode "reduce-overhead" is used, which
records CUDA graphs. The steps are bare: forward, backward, SGD. Weights are fresh: the work does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nasanalysis.seeding import generator, torch_generator
from nasanalysis.spaces import get_space
from nasanalysis.supernets.base import initialise_on_cpu
from nasanalysis.supernets.config import SupernetConfig
from nasanalysis.supernets.finetune import draw_batches
from nasanalysis.supernets.networks import build_supernet
from nasanalysis.supernets.optimisers import sgd
from nasanalysis.supernets.tasks import load_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("reports/configs/nb201_cifar10.toml"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--archs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = SupernetConfig.load(args.config)
    settings = config.finetune[0].settings(config.train)
    task = load_task(config.data, data=args.data, device=args.device)
    net = build_supernet(config.space, config.network, task, device=args.device)
    initialise_on_cpu(net, torch_generator(0, "profile"))
    train = draw_batches(task, settings, seed=0).train[: args.steps]
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    print("first: the first step, with compiling; step: median of the others, eager and compiled in turn")
    for arch in get_space(config.space).sample(args.archs, generator(0, "profile")):
        torch.compiler.reset()
        mode = "reduce-overhead" if args.device == "cuda" else "default"
        nets = (net.subnet(arch), torch.compile(net.subnet(arch), mode=mode))
        steps = [_stepper(each, settings.learning_rate) for each in nets]
        print(arch)
        try:
            eager, ours = _in_turn(steps, train, wait)
        except RuntimeError as error:
            print(f"  does not compile: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
            continue
        later = [statistics.median(times[1:]) for times in (eager, ours)]
        even = f"{(ours[0] - eager[0]) / (later[0] - later[1]):,.0f}" if later[0] > later[1] else "no"
        print(
            f"  eager: first {eager[0]:.2f} s, step {1e3 * later[0]:.1f} ms; compiled: first {ours[0]:.1f} s, "
            f"step {1e3 * later[1]:.1f} ms; pays after {even} minibatches"
        )


def _in_turn(
    steps: Sequence[Callable[..., None]], batches: Sequence[tuple[Tensor, Tensor]], wait: Callable[[], None]
) -> list[list[float]]:
    """Seconds of each step, one after the other on every minibatch."""
    spent: list[list[float]] = [[] for _ in steps]
    for images, labels in batches:
        for step, times in zip(steps, spent, strict=True):
            wait()
            started = time.perf_counter()
            step(images, labels)
            wait()
            times.append(time.perf_counter() - started)
    return spent


def _stepper(net: Any, learning_rate: float) -> Callable[[Tensor, Tensor], None]:
    optimiser = sgd(list(net.parameters()), learning_rate=learning_rate, momentum=0.9, weight_decay=5e-4)
    net.train()

    def step(images: Tensor, labels: Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(images), labels).backward()
        optimiser.step()

    return step


if __name__ == "__main__":
    main()
