"""The fixed network around the cells of the DARTS family: stem, auxiliary head, classifier, and the way through."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ..core.errors import NasAnalysisError
from .darts_cells import DartsCell, DartsSkeleton, Place


class Stem(nn.Module):
    """Image -> the two inputs of the first cell: one 3x3 convolution to 3C, or on ImageNet three of stride 2."""

    def __init__(self, skeleton: DartsSkeleton) -> None:
        super().__init__()
        c, colours = skeleton.channels, skeleton.input_channels
        if skeleton.imagenet:
            self.first = nn.Sequential(*_conv_bn(colours, c // 2, 2), nn.ReLU(), *_conv_bn(c // 2, c, 2))
            self.second: nn.Module = nn.Sequential(nn.ReLU(), *_conv_bn(c, c, 2))
        else:
            self.first = nn.Sequential(*_conv_bn(colours, 3 * c, 1))
            self.second = nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        before = self.first(x)
        return before, self.second(before)


def _conv_bn(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs)


def _auxiliary(channels: int, skeleton: DartsSkeleton) -> nn.Sequential:
    """The second classifier: 5x5 pooling to 2 x 2, convolutions to 128 and 768, linear."""
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(5, stride=2 if skeleton.imagenet else 3, count_include_pad=False),
        nn.Conv2d(channels, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        # DARTS's ImageNet head has no batch-norm here
        nn.Identity() if skeleton.imagenet else nn.BatchNorm2d(768),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, skeleton.classes),
    )


class Body(nn.Module):
    """Stem, cells, pooling, classifier, and the auxiliary head if the skeleton has one.

    ``make(place)`` makes one cell of `nodes` intermediate nodes.
    """

    def __init__(self, skeleton: DartsSkeleton, nodes: int, make: Callable[[Place], DartsCell]) -> None:
        super().__init__()
        self.stem = Stem(skeleton)
        width, reduced = skeleton.channels, skeleton.imagenet
        before = last = width if skeleton.imagenet else 3 * width
        self.cells = nn.ModuleList()
        self.auxiliary: nn.Module | None = None
        self.auxiliary_at = 2 * skeleton.cells // 3
        for position in range(skeleton.cells):
            reduces = position in skeleton.reductions
            width *= 2 if reduces else 1
            self.cells.append(make(Place((before, last), width, reduces, reduced)))
            before, last, reduced = last, nodes * width, reduces
            if skeleton.auxiliary and position == self.auxiliary_at:
                self.auxiliary = _auxiliary(last, skeleton)
        self.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(last, skeleton.classes)

    def forward(
        self, x: Tensor, run: Callable[[int, Tensor, Tensor], Tensor], *, auxiliary: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Logits and, if asked for, those of the auxiliary head; ``run(position, before, last)`` runs one cell."""
        if auxiliary and self.auxiliary is None:
            raise NasAnalysisError(
                "auxiliary: this network has no auxiliary head; build it with auxiliary=True in its skeleton"
            )
        second: Tensor | None = None
        before, last = self.stem(x)
        for position in range(len(self.cells)):
            before, last = last, run(position, before, last)
            if auxiliary and self.auxiliary is not None and position == self.auxiliary_at:
                second = self.auxiliary(last)
        return self.classifier(self.pooling(last)), second
