"""Whether torch.compile pays in a finetuning: its cost before the first step, and what each step gains.

python benchmarks/profile_compile.py [--config reports/configs/nb201_cifar10.toml] [--data DATA] [--archs 3]

Every architecture is a graph of its own, so it is compiled anew. On CUDA the mode "reduce-overhead" is used, which
records CUDA graphs. The steps are bare: forward, backward, SGD. Weights are fresh: the work does not depend on them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.compiler.config
from fresh import fresh, options
from torch import Tensor, nn

from nasanalysis.training.optimisers import sgd


def main() -> None:
    parser = options(__doc__.splitlines()[0], archs=3)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    study = fresh(args)
    torch.compiler.config.force_disable_caches = True  # a graph that was compiled before would look cheap
    train = study.batches.train[: args.steps]
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    print("first: the first step, with compiling; step: median of the others, eager and compiled in turn")
    for arch in study.archs:
        torch.compiler.reset()  # no graph is met twice in a study
        mode = "reduce-overhead" if args.device == "cuda" else "default"
        nets = (study.net.subnet(arch), torch.compile(study.net.subnet(arch), mode=mode))
        steps = [_stepper(each, study.settings.learning_rate) for each in nets]
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
