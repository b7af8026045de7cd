"""The supernet of a space by name, at the size that a configuration asks for."""

from __future__ import annotations

from typing import Protocol

import torch

from ..core.errors import UnknownNameError
from ..spaces.nb1shot1 import SPACES_1SHOT1
from ..spaces.nb101_enumeration import Skeleton101
from ..spaces.skeletons import Skeleton
from .base import Supernet
from .config import NetworkConfig

#: Spaces that have a supernet.
SPACES = ("nb201", *SPACES_1SHOT1, "darts", "s1", "s2", "s3", "s4", "s5")


class InputShape(Protocol):
    """What a network must know of its images: channels and pixels of one, and the number of classes."""

    @property
    def inputs(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def classes(self) -> int: ...


def build_supernet(space: str, network: NetworkConfig, task: InputShape, *, device: str = "cpu") -> Supernet:
    """A supernet for the images of `task`, channels last, with memory but without weights yet (`initialise`)."""
    with torch.device("meta"):
        net = _make(space, network, task)
    return net.to_empty(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _make(space: str, network: NetworkConfig, task: InputShape) -> Supernet:
    if space == "nb201":
        from .nb201 import NB201Supernet

        return NB201Supernet(
            Skeleton(
                image_size=task.size,
                classes=task.classes,
                channels=network.channels,
                cells=network.cells,
                input_channels=task.inputs,
                stem_kernel=network.stem_kernel,
                reduction=network.reduction,  # type: ignore[arg-type]
            )
        )
    if space in SPACES_1SHOT1:
        from .nb101 import NB1Shot1Supernet

        return NB1Shot1Supernet(
            space, Skeleton101(task.size, task.classes, network.channels, network.cells, task.inputs)
        )
    if space in SPACES:
        from .darts import darts_supernet

        return darts_supernet(
            space,
            channels=network.channels,
            layers=network.layers,
            classes=task.classes,
            image_size=task.size,
            auxiliary=network.auxiliary,
            input_channels=task.inputs,
        )
    raise UnknownNameError("space with a supernet", space, SPACES)
