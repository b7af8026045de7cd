"""What the network of an architecture costs, counted on the network itself."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from .base import Supernet


def network_costs(supernet: Supernet, arch: str, *, inputs: int, size: int) -> dict[str, float]:
    """``params`` (count) and ``flops`` (multiply-accumulates of one image) of an architecture's standalone network.

    Operations that are not computed since nothing reads them cost no multiplications. Nothing is allocated.
    """
    with torch.device("meta"):
        net = supernet.standalone(arch).eval()
        image = torch.empty(1, inputs, size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(image)
    params = sum(p.numel() for p in net.parameters())
    return {"params": float(params), "flops": counter.get_total_flops() / 2}
