"""The NATS-Bench size space (Dong et al. 2021): 32,768 networks of one cell with five free widths.

The topology is fixed; an architecture is the number of channels of its five blocks, each of 8, 16 ... 64,
written ``8:16:24:32:40``. Blocks 1, 3 and 5 are cells, blocks 2 and 4 residual blocks that halve the image.
Every cell is the best one of the topology space on CIFAR-100::

    |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|

The skip connection becomes a 1x1 convolution with batch-norm where a cell changes the number of channels.

**Index order.** The benchmark's index is the order of ``meta_archs`` in its archive: every combination,
last block fastest (the topology space is shuffled, this one is not). A test compares it with the archive's
``meta`` file where that is at hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from ..core.errors import ArchError, NasAnalysisError, ParameterError, UnknownNameError
from .base import Arch, Images
from .skeletons import skeleton

#: What each block's number of channels may be, in the benchmark's order.
CHANNELS: tuple[int, ...] = tuple(range(8, 65, 8))

#: Whether each block is a reduction (a residual block of stride 2); the others are cells.
REDUCTIONS: tuple[bool, ...] = (False, True, False, True, False)


def parse_channels(key: str) -> tuple[int, ...]:
    """``8:16:24:32:40`` -> five numbers of channels; `ArchError` says what is wrong."""
    parts = key.strip().split(":")
    known = [str(c) for c in CHANNELS]
    if len(parts) != len(REDUCTIONS):
        raise ArchError(f"nats-sss: expected five numbers as '8:16:24:32:40', got {len(parts)} in {key[:200]!r}")
    for part in parts:
        if part not in known:
            raise ArchError(f"nats-sss: expected channels of {', '.join(known)}, got {part[:200]!r} in {key[:200]!r}")
    return tuple(int(part) for part in parts)


def format_channels(channels: Sequence[int]) -> str:
    """Five numbers of channels -> the architecture string."""
    return ":".join(str(c) for c in channels)


@cache
def _official_order() -> tuple[Arch, ...]:
    return tuple(Arch("nats-sss", format_channels(c)) for c in itertools.product(CHANNELS, repeat=len(REDUCTIONS)))


class NatsSSS:
    """The space object: iterate it, index it, sample it, ask it for costs."""

    name = "nats-sss"
    #: One rule: networks of other widths are other networks, so every architecture is its own class.
    isomorphism_rules: tuple[str, ...] = ("published",)

    def __len__(self) -> int:
        return int(len(CHANNELS) ** len(REDUCTIONS))

    def __iter__(self) -> Iterator[Arch]:
        return iter(_official_order())

    def __repr__(self) -> str:
        return f"<space nats-sss: {len(self):,} architectures>"

    def parse(self, text: str) -> Arch:
        """Text with or without the ``nats-sss:`` prefix -> `Arch`; `ArchError` if it is none of ours."""
        arch = Arch.from_text(text, self.name)
        return Arch(self.name, format_channels(parse_channels(arch.key)))

    def channels(self, arch: Arch | str) -> tuple[int, ...]:
        """The numbers of channels of the five blocks."""
        return parse_channels(self._checked(arch).key)

    def arch(self, index: int) -> Arch:
        """The architecture at an index of the benchmark (0 to 32,767; negative numbers are refused)."""
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArchError(f"nats-sss: expected an integer index, got {index!r}")
        if not 0 <= index < len(self):
            raise ArchError(f"nats-sss: expected an index from 0 to {len(self) - 1}, got {index}")
        return _official_order()[int(index)]

    def index(self, arch: Arch | str) -> int:
        """The benchmark's index of an architecture."""
        index = 0
        for c in self.channels(arch):
            index = index * len(CHANNELS) + CHANNELS.index(c)
        return index

    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]:
        """`n` distinct architectures, uniform without replacement, in the order drawn."""
        if not 0 <= n <= len(self):
            raise NasAnalysisError(f"nats-sss: expected a sample of 0 to {len(self)} architectures, got {n}")
        return [self.arch(i) for i in rng.choice(len(self), size=n, replace=False)]

    def has_live_path(self, arch: Arch | str) -> bool:
        """Whether the output depends on the input: always so in this space."""
        return bool(self.channels(arch))

    def neighbours(self, arch: Arch | str) -> list[Arch]:
        """The 35 architectures that differ in the width of one block, block by block."""
        widths = self.channels(arch)
        return [
            Arch(self.name, format_channels((*widths[:b], other, *widths[b + 1 :])))
            for b in range(len(widths))
            for other in CHANNELS
            if other != widths[b]
        ]

    @property
    def gene_sizes(self) -> tuple[int, ...]:
        """Widths of each block."""
        return (len(CHANNELS),) * len(REDUCTIONS)

    def genes(self, arch: Arch | str) -> tuple[int, ...]:
        """The place of each block's width in `CHANNELS`."""
        return tuple(CHANNELS.index(c) for c in self.channels(arch))

    def from_genes(self, genes: Sequence[int]) -> Arch:
        """Five places in `CHANNELS` -> `Arch`."""
        return Arch(self.name, format_channels([CHANNELS[g] for g in genes]))

    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]:
        """Every architecture -> itself."""
        if rule not in self.isomorphism_rules:
            raise UnknownNameError("isomorphism rule", rule, self.isomorphism_rules)
        return {arch: arch for arch in self}

    def unique_arch(self, arch: Arch | str, rule: str = "published") -> Arch:
        """The architecture itself."""
        if rule not in self.isomorphism_rules:
            raise UnknownNameError("isomorphism rule", rule, self.isomorphism_rules)
        return self._checked(arch)

    def params(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> int:
        """Trainable parameters (count), equal to NATS-Bench's ``params`` (there in millions)."""
        return self._costs(arch, dataset, channels, cells)[0]

    def flops(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> float:
        """Multiply-accumulates of one image, as NATS-Bench's ``flop`` counts them (there in millions).

        Convolutions, the classifier's products and its bias; batch-norm, pooling and sums are free.
        """
        return float(self._costs(arch, dataset, channels, cells)[1])

    def _costs(
        self, arch: Arch | str, dataset: str | Images, channels: int | None, cells: int | None
    ) -> tuple[int, int]:
        if channels is not None or cells is not None:
            raise ParameterError(
                "nats-sss: channels and cells belong to the architecture here; leave them out (got "
                f"channels {channels}, cells {cells})"
            )
        net, widths = skeleton(dataset), self.channels(arch)
        size, before = net.image_size, widths[0]
        params = net.stem_kernel**2 * net.input_channels * before + 2 * before
        flops = net.stem_kernel**2 * net.input_channels * before * size * size
        for width, reduction in zip(widths, REDUCTIONS, strict=True):
            if reduction:  # two 3x3 convolutions, and a pooled 1x1 shortcut without batch-norm
                size //= 2
                weights = 9 * before * width + 9 * width * width + before * width
                params += weights + 4 * width
            else:  # edges 0-1 and 0-2 change the width, edges 1-2, 1-3 and 2-3 keep it
                weights = 2 * 9 * before * width + 3 * 9 * width * width
                params += weights + 10 * width
                if before != width:  # the skip connection, edge 0-3
                    weights += before * width
                    params += before * width + 2 * width
            flops += weights * size * size
            before = width
        classifier = before * net.classes + net.classes
        return params + 2 * before + classifier, flops + classifier

    def _checked(self, arch: Arch | str) -> Arch:
        if isinstance(arch, str):
            return self.parse(arch)
        if arch.space != self.name:
            raise ArchError(f"nats-sss: expected an architecture of this space, got one of {arch.space!r}: {arch}")
        return arch


SPACE = NatsSSS()
