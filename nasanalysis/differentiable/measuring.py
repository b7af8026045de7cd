"""Reading a network in the middle of its training without moving it (torch)."""

from __future__ import annotations

from torch import nn

from ..networks.randomness import Randomness


def randomness_of(net: nn.Module) -> Randomness | None:
    """What a network draws from while it runs; None where it draws nothing."""
    draws = getattr(net, "randomness", None)
    return draws if isinstance(draws, Randomness) else None


class measuring:
    """Batch-norm alone in training mode (batch statistics) or nothing; buffers, modes and streams as before at the end.

    Buffers are put aside and copies stand in for them: a graph that is differentiated later keeps what it has read.
    """

    def __init__(self, net: nn.Module, statistics: str) -> None:
        self.net, self.statistics = net, statistics

    def __enter__(self) -> nn.Module:
        self.modes = [(module, module.training) for module in self.net.modules()]
        self.kept = [
            (module, name, buffer)
            for module in self.net.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        for module, name, buffer in self.kept:
            module._buffers[name] = buffer.clone()
        draws = randomness_of(self.net)
        self.stream = None if draws is None else (draws.generator, draws.generator.get_state())
        self.net.eval()
        if self.statistics == "batch":
            for module in self.net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train()
        return self.net

    def __exit__(self, *_: object) -> None:
        for module, name, buffer in self.kept:
            module._buffers[name] = buffer
        for module, training in self.modes:
            module.training = training
        if self.stream is not None:
            self.stream[0].set_state(self.stream[1])
