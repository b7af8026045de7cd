"""``nasanalysis archs``: architectures of a search space."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import JsonOption
from .output import show

if TYPE_CHECKING:
    from ..spaces import Arch, Space
    from ..spaces.capabilities import Enumerable


def archs(
    space: Annotated[str, typer.Argument(help="Search space, such as nb201.")],
    dataset: Annotated[
        str, typer.Option("--dataset", help="Dataset whose input and classes the costs are for.")
    ] = "cifar10",
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="C, channels of the first stage (default 16; digits 4).")
    ] = None,
    cells: Annotated[
        int | None, typer.Option("--cells", min=1, help="N, cells of each stage (default 5; digits 1).")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Print the number of architectures.")] = False,
    unique_count: Annotated[
        bool, typer.Option("--unique-count", help="Print the number of classes under each isomorphism rule.")
    ] = False,
    show_arch: Annotated[
        str | None, typer.Option("--show", metavar="KEY", help="One architecture (text or index) and its costs.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write arch,index,unique_arch,params,flops of all.")
    ] = None,
    rule: Annotated[str, typer.Option("--rule", help="Isomorphism rule of unique_arch.")] = "published",
    as_json: JsonOption = False,
) -> None:
    """Architectures of a search space: how many, which are the same, what they cost."""
    from ..spaces import get_space
    from ..spaces.capabilities import Enumerable, Sized, require

    if sum((count, unique_count, show_arch is not None, csv is not None)) > 1:
        raise typer.BadParameter("choose one of --count, --unique-count, --show and --csv")
    chosen = get_space(space)
    size = {"channels": channels, "cells": cells}
    if isinstance(chosen, Sized):
        chosen.skeleton(dataset, **size)  # a dataset or a size that does not exist is refused, whatever is asked
    if unique_count:
        _refuse_to_list(chosen, "--unique-count")
        counts = _unique_counts(chosen)
        show(as_json, counts, "\n".join(f"{r:<20}{n:>8,}" for r, n in counts.items()))
    elif show_arch is not None:
        row = _one(chosen, show_arch, dataset, rule, size)
        show(as_json, row, "\n".join(f"{key:<12}{'–' if value is None else value}" for key, value in row.items()))
    elif csv is not None:
        _refuse_to_list(chosen, "--csv")
        written = _write(chosen, csv, dataset, rule, size)
        show(as_json, {"csv": str(csv), "architectures": written}, f"{csv}: {written:,} architectures")
    else:
        n = len(require(chosen, Enumerable))
        show(as_json, {"space": space, "architectures": n}, str(n))


def _refuse_to_list(space: Space, option: str) -> None:
    """`ArchError` with the count of a space that is too large to go through."""
    from ..core.errors import ArchError
    from ..loaders.tables.arch_codes import LISTABLE
    from ..spaces.capabilities import Enumerable

    if isinstance(space, Enumerable) and len(space) > LISTABLE:
        raise ArchError(
            f"{space.name}: {option} goes through all {len(space):,} architectures, and at most {LISTABLE:,} are gone "
            "through; --show KEY works for one"
        )


def _unique_counts(space: Space) -> dict[str, int]:
    """Isomorphism rule -> number of classes."""
    from ..spaces.capabilities import Isomorphic, require

    known = require(space, Isomorphic)
    return {rule: len(set(known.unique_archs(rule).values())) for rule in known.isomorphism_rules}


def _one(space: Space, text: str, dataset: str, rule: str, size: dict[str, int | None]) -> dict[str, Any]:
    """An architecture, by its text or its index, with its costs; without an index where the space has none."""
    from ..loaders import archs_frame
    from ..spaces.capabilities import Enumerable
    from ..spaces.names import read_arch

    numbered = re.fullmatch(r"-?[0-9]+", text) is not None
    arch = space.arch(int(text)) if numbered and isinstance(space, Enumerable) else read_arch(text, space.name)
    row = archs_frame(space, [str(arch)], dataset, rule=rule, **size).to_dicts()[0]
    index = {"index": _index(space, arch)} if isinstance(space, Enumerable) else {}
    return {"arch": row.pop("arch"), **index, **row, "dataset": dataset}


def _index(space: Enumerable, arch: Arch) -> int | None:
    """None for what the space counts the parameters of and has no index for: a genotype with ``none``, say."""
    from ..core.errors import ArchError

    try:
        return space.index(arch)
    except ArchError:
        return None


def _write(space: Space, path: Path, dataset: str, rule: str, size: dict[str, int | None]) -> int:
    """Every architecture with its costs into a CSV file; how many there are."""
    from ..loaders import archs_frame
    from ..report.writer import write_csv
    from ..spaces.capabilities import Enumerable, require

    frame = archs_frame(space, map(str, require(space, Enumerable)), dataset, rule=rule, **size)
    write_csv(frame.with_row_index("index").select("arch", "index", "unique_arch", "params", "flops"), path)
    return len(frame)
