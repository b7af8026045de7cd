"""How large every search space is."""

from __future__ import annotations

import polars as pl

from ...report.cells import count
from ...report.model import Table
from ...report.published import Cells, places
from ...spaces import SPACES, get_space, offers
from ...spaces.capabilities import Enumerable, Isomorphic
from ..items import Resampling, Sources


def space_sizes(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """How large every search space is, beside what was published (rows: the spaces)."""
    sizes = {name: len(get_space(name, Enumerable)) for name in SPACES if offers(name, Enumerable)}
    figures = {row[0]: figure for (row, column), figure in published.items() if column == "architectures"}
    remarks = {name: _remark(name) for name in sizes}
    frame = pl.DataFrame(
        {
            "space": list(sizes),
            "architectures": [float(size) for size in sizes.values()],
            "thesis": [figures[name].value if name in figures else None for name in sizes],
            "remark": list(remarks.values()),
        },
        schema_overrides={"thesis": pl.String()},
    )
    rows = [
        [name, count(size), figures[name].text if name in figures else "–", remarks[name]]
        for name, size in sizes.items()
    ]
    return Table(
        "space-sizes",
        "Architectures of every space",
        ["space", "architectures", places(published.values()) or "published", "remark"],
        rows,
        frame,
        [False, True, True, False],
        "Counted by this package's own enumeration. NAS-Bench-1shot1: the published counts of spaces 1 and 3 hold "
        "operations only on nodes that something reads, that of space 2 every encoding.",
    )


def _remark(name: str) -> str:
    if name == "nb201":
        space = get_space(name, Isomorphic)
        counts = [
            f"{len(set(space.unique_archs(rule).values())):,} {rule.replace('_', ' ')}"
            for rule in space.isomorphism_rules
        ]
        return "unique: " + ", ".join(counts)
    if name.startswith("nb101-"):
        from ...spaces.nb1shot1_counts import nb1shot1_counts

        c = nb1shot1_counts(name)
        return (
            f"{c['operations_where_read']:,} with operations only where read; "
            f"{c['without_loose_ends']:,} without loose ends; {c['cells']:,} distinct cells"
        )
    return {"nb101": "distinct cells", "darts": "genotypes; the thesis prints the order of magnitude"}.get(name, "")
