"""One training step of a supernet and one measured architecture, against the bare passes they cannot do without.

The study's size: C = 8, N = 1, 16 x 16, batches of 64. Bare passes of a step: forward, loss, backward of the same
architectures on a batch that lies there. Of an architecture: the forward passes of recalibration (512 images), accuracy
(3,000) and loss under noise (3 sigmas, 4 draws and none, 1,000 images each). Seconds of processor time of this process,
one thread, so that a busy machine counts little.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sidebyside import Row, Skipped

STEPS, ROUNDS = 60, 3


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    step, read = "training step of a supernet: C = 8, N = 1, 16 x 16", "measured architecture: the same, 4 draws"
    if importlib.util.find_spec("torch") is None:
        yield from (Skipped(name, "torch is not installed") for name in (step, read))
        return
    import torch

    from nasanalysis.core.errors import MissingDataError
    from nasanalysis.training.settings import DataConfig
    from nasanalysis.training.tasks import load_task

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = DataConfig(data="cifar10-jpeg", size=16, train=12_000, valid=3_000, crop=2)
        task = load_task(images, data=data)
        for unsampled in ("untouched", "zero_grad"):
            yield _cost(f"{step}, {unsampled}", *_step(task, unsampled), scale=1 / STEPS)
        yield _cost(read, *_measured(task))
    except MissingDataError as error:
        yield from (Skipped(name, str(error)) for name in (step, read))
    finally:
        torch.set_num_threads(threads)


def _cost(name: str, bare: Callable[[], object], ours: Callable[[], object], *, scale: float = 1.0) -> Row:
    """Processor seconds of both, in turn."""

    def spent(function: Callable[[], object]) -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    spent(bare), spent(ours)  # warm, and as many draws of architectures on both sides
    costs = [(spent(bare), spent(ours)) for _ in range(ROUNDS)]
    peer, mine = (scale * statistics.median(column) for column in zip(*costs, strict=True))
    return Row(name, peer, mine, "s", "bare passes", "processor time; below 1: what the rest costs")


def _network(task: Any) -> Any:
    import torch

    from nasanalysis.networks.build import build_supernet
    from nasanalysis.networks.config import NetworkConfig

    network = NetworkConfig(channels=8, cells=1, reduction="pool")
    return build_supernet("nb201", network, task, torch.Generator().manual_seed(0))


def _step(task: Any, unsampled: str) -> tuple[Callable[[], object], Callable[[], object]]:
    import torch

    from nasanalysis.core.seeding import generator
    from nasanalysis.training.protocols import PROTOCOLS
    from nasanalysis.training.settings import TrainSettings
    from nasanalysis.training.train import SupernetLearner

    net, bare_net = _network(task), _network(task)
    learner = SupernetLearner(net, task, PROTOCOLS["spos"], TrainSettings(unsampled=unsampled), seed=0)  # type: ignore[arg-type]
    paths = generator(0, "supernet", "architectures")  # those that the learner draws
    images, labels = task.batch(torch.arange(64), torch.Generator().manual_seed(0))
    net.train()
    bare_net.train()

    def bare() -> None:
        for _ in range(STEPS):
            for weight in bare_net.parameters():
                weight.grad = None
            torch.nn.functional.cross_entropy(bare_net(images, bare_net.sample(paths)), labels).backward()

    def ours() -> None:
        for _ in range(STEPS):
            learner.update()

    return bare, ours


def _measured(task: Any) -> tuple[Callable[[], object], Callable[[], object]]:
    import torch

    from nasanalysis.training.measure import draw_probes, measure
    from nasanalysis.training.settings import MeasureSettings

    settings = MeasureSettings(
        measures=("val_acc", "val_loss", "angle", "angle_cells"), sigmas=(2e-3, 1e-2, 2e-2), images=1000,
        recalibration=512,
    )  # fmt: skip
    probes, net, initial = draw_probes(task, settings, seed=0), _network(task), _network(task)
    arch = "nb201:|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"
    alone = net.subnet(arch)

    @torch.no_grad()
    def bare() -> None:
        alone.train()
        for images in probes.recalibration:
            alone(images)
        alone.eval()
        for images in (probes.whole[0], *(1 + len(settings.sigmas) * settings.draws) * (probes.noise[0],)):
            for piece in images.split(256):
                alone(piece)

    def ours() -> None:
        measure(net.subnet(arch), initial.subnet(arch), probes, settings, lambda _: torch.Generator().manual_seed(0))

    return bare, ours
