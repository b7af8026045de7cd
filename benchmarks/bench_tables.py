"""A table of all NAS-Bench-101 cells by their public hashes: our reader against looking each hash up in a dict of all.

The peer is what the benchmark's own hash leaves one to do: compute the hash of every cell once, keep a dict, and write
each row's cell. It computes 2,000 hashes, scaled; ours reads the whole CSV file to a checked TRUTH frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from sidebyside import Row, Skipped, side_by_side

from nasanalysis.loaders.files import find
from nasanalysis.loaders.nb101.benchmark import MEANS
from nasanalysis.loaders.tables.benchmark import load_descriptor, read_table
from nasanalysis.spaces.nb101 import SPACE, format_cell
from nasanalysis.spaces.nb101_enumeration import all_codes, decode
from nasanalysis.spaces.nb101_graph import module_hash

CELLS = 2000
_DESCRIPTION = """
benchmark = "mine"
space = "nb101"
file = "mine.csv"
frame = "TRUTH"
dataset = "cifar10"
split = "test"
schedule = 108
unit = "fraction"
arch_column = "module_hash"
values = { accuracy = "mean_final_test_accuracy" }
"""


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = f"A user's table of {len(SPACE):,} rows by module hash"
    try:
        source = find(f"nb101/{MEANS}", data)
    except FileNotFoundError:
        yield Skipped(name, "no table of NAS-Bench-101: pass --data")
        return
    with tempfile.TemporaryDirectory(prefix="bench-tables-") as temp:
        pl.read_parquet(source).write_csv(Path(temp) / "mine.csv")
        (Path(temp) / "mine.toml").write_text(_DESCRIPTION)
        descriptor = load_descriptor(Path(temp) / "mine.toml")
        yield side_by_side(
            name,
            lambda: _by_dict(CELLS),
            lambda: read_table(descriptor),
            peer_name="a dict of all hashes",
            scale=len(SPACE) / CELLS,
            note=f"peer: {CELLS:,} hashes and texts, scaled to {len(SPACE):,}; ours: the whole file, checked",
        )


def _by_dict(count: int) -> dict[str, str]:
    """Hash -> text of some cells, evenly spread."""
    cells = [decode(code) for code in all_codes()[:: len(SPACE) // count].tolist()]
    return {module_hash(cell): format_cell(cell) for cell in cells}
