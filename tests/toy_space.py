"""A space and a benchmark as someone outside the package would write them: nothing here is imported by it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from nasanalysis.core.errors import ArchError
from nasanalysis.loaders import Benchmark
from nasanalysis.spaces import Arch, Drawing


class Bare:
    """The least that a space is."""

    name = "bare"

    def parse(self, text: str) -> Arch:
        arch = Arch.from_text(text, self.name)
        if not arch.key.isdigit() or len(arch.key) != 3 or max(map(int, arch.key)) > 3:
            raise ArchError(f"{self.name}: expected three digits from 0 to 3, got {arch.key!r}")
        return arch


class Toy(Bare):
    """Three layers of width 1 to 4: counts parameters, can be enumerated, searched and drawn. No FLOPs, no classes."""

    name = "toy"
    gene_sizes = (4, 4, 4)

    def __len__(self) -> int:
        return 64

    def __iter__(self) -> Iterator[Arch]:
        return map(self.from_genes, itertools.product(range(4), repeat=3))

    def arch(self, index: int) -> Arch:
        return self.from_genes((index // 16, index // 4 % 4, index % 4))

    def index(self, arch: Arch | str) -> int:
        a, b, c = self.genes(arch)
        return 16 * a + 4 * b + c

    def genes(self, arch: Arch | str) -> tuple[int, ...]:
        return tuple(map(int, self.parse(str(arch)).key))

    def from_genes(self, genes: Sequence[int]) -> Arch:
        return Arch(self.name, "".join(map(str, genes)))

    def params(self, arch: Arch | str, dataset: str) -> int:
        return sum((a + 1) * (b + 1) for a, b in itertools.pairwise(self.genes(arch)))

    def drawings(self, arch: Arch | str) -> list[Drawing]:
        nodes = {str(i): f"{width + 1}" for i, width in enumerate(self.genes(arch))} | {"out": "out"}
        return [Drawing("cell", nodes, [(a, b, None) for a, b in itertools.pairwise(nodes)])]


BARE, TOY = Bare(), Toy()


def load(data: Path | None = None) -> Benchmark:
    archs = [str(arch) for arch in TOY]
    accuracy = [50 + TOY.params(arch, "t") + 0.1 * i % 1 for i, arch in enumerate(archs)]
    truth = pl.DataFrame({"arch": archs, "accuracy": accuracy}).select(
        benchmark=pl.lit("toy"), dataset=pl.lit("t"), arch="arch", split=pl.lit("test"),
        schedule=pl.lit(1, pl.Int64), seed=pl.lit(None, pl.Int64), accuracy="accuracy", origin=pl.lit("tabular"),
    )  # fmt: skip
    return Benchmark("toy", "toy", ("t",), read={"TRUTH": truth.lazy})
