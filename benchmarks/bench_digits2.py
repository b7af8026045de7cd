"""Twelve measures of 100 architectures from the shipped table, against training and measuring them (3, scaled up)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from sidebyside import Row, Skipped, side_by_side

TRAINED, ASKED = 3, 100
MEASURES = [
    "sotl", "val_acc", "sog", "sogn", "angle", "angle_cells", "flatness", "flatness@alpha=0", "weight_hessian_ev",
    "weight_hessian_trace", "synflow", "nwot",
]  # fmt: skip


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "twelve measures of 100 architectures on digits"
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("sklearn") is None:
        yield Skipped(name, "torch or scikit-learn is not installed")
        return
    from nasanalysis import load_benchmark, score
    from nasanalysis.builders.digits2_recorder import record_run
    from nasanalysis.builders.digits2_settings import RecorderSettings
    from nasanalysis.loaders.digits2 import load

    archs = load_benchmark("digits-2").truth()["arch"].unique(maintain_order=True).to_list()[:ASKED]
    settings = RecorderSettings()
    yield side_by_side(
        name,
        lambda: [record_run(arch.partition(":")[2], 0, settings) for arch in archs[:TRAINED]],
        lambda: score(load(), MEASURES, archs=archs),
        peer_name="training and measuring each",
        scale=ASKED / TRAINED,
        note=f"trained: {TRAINED} of {ASKED}, scaled; the table is read anew",
    )
