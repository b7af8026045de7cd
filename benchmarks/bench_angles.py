"""Angles of all 15,625 architectures of NAS-Bench-201 at once, against one by one (60 of them, scaled up)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sidebyside import Row, Skipped, side_by_side

ONE_BY_ONE = 60


@dataclass(frozen=True)
class Grey:
    """Images as small as the networks ask for."""

    inputs: int = 3
    size: int = 16
    classes: int = 10


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "angles of all of nb201, path by path: C = 8, N = 1"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    import torch

    from nasanalysis.measures.angle import angle
    from nasanalysis.networks.angles import supernet_angles
    from nasanalysis.networks.build import build_supernet
    from nasanalysis.networks.config import NetworkConfig
    from nasanalysis.spaces.nb201 import SPACE

    network = NetworkConfig(channels=8, cells=1, reduction="pool")
    before, after = (build_supernet("nb201", network, Grey(), torch.Generator().manual_seed(seed)) for seed in (0, 1))
    archs = [str(arch) for arch in SPACE]
    some = archs[:: len(archs) // ONE_BY_ONE][:ONE_BY_ONE]
    yield side_by_side(
        name,
        lambda: [angle(before.subnet(arch), after.subnet(arch), vector="paths") for arch in some],
        lambda: supernet_angles(before, after, archs),
        peer_name="one inherited network each",
        scale=len(archs) / len(some),
        note=f"one by one: {len(some)} of {len(archs)}, scaled",
    )
