"""The finished runs of `digits-2` as one file, and back: to keep, to commit, or to go on from on another machine.

A build leaves one small file for each run. `pack` puts those that are there into two: ``digits-2.raw.parquet``, every
number that was recorded as it was (float32; the same bytes whatever the workers and kills, on one machine), and
``digits-2.seconds.parquet``, what each measure of each run cost, which never comes out the same twice. `unpack` makes
the files of the runs again. `finish` writes the thin table, ``digits-2.parquet``: see `KEPT_BITS` for what it loses,
and ``digits-2.costs.parquet`` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import BuildError, MissingDataError
from ..core.frames import read_frame, read_provenance, write_frame
from ..core.provenance import provenance
from ..jobs.units import gather
from .digits2_plan import class_order, class_weights

RAW, SECONDS, TABLE = "digits-2.raw.parquet", "digits-2.seconds.parquet", "digits-2.parquet"
COSTS = "digits-2.costs.parquet"
SOURCE = "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0)"

#: Beginning of a column's name -> bits of the fraction that the thin table keeps; the relative error is at most
#: 2^-(bits + 1). Losses under noise: 6e-5, so 9e-5 at a loss of 1.5, where draws at the smallest sigma spread by 4e-3
#: (median of the first runs; the least was 7e-4). Minibatch losses: 6e-5, where one minibatch differs from the next by
#: several percent. The rest is whole.
KEPT_BITS = {"noise_": 13, "train_minibatch_loss": 13, "sog": 13, "angle_": 15}
#: The same for the seconds of `COSTS`.
SECONDS_BITS = 7


def unit_name(position: int, seed: int) -> str:
    """Stem of a run's file: its class's place in `class_order`, and its seed; names sort as the build goes."""
    return f"{position:04d}-{seed}"


def pack(build: Path, to: Path) -> Path:
    """Write the finished runs of the folder of a build (running or not) into the folder `to`; returns the raw file."""
    fingerprint = _fingerprint(build)
    rows = pl.concat(gather(_finished(build)))
    seconds = [name for name in rows.columns if name.startswith("seconds_")]
    record = _record(rows, fingerprint)
    write_frame(rows.select("arch", "seed", *seconds), to / SECONDS, record)
    return write_frame(rows.drop(seconds), to / RAW, record)


def unpack(pack_folder: Path, units: Path, fingerprint: Mapping[str, Any]) -> int:
    """Make the files of packed runs in the folder `units` where they are missing; how many were made.

    `BuildError` names the settings in which the pack differs from `fingerprint`.
    """
    for name in (RAW, SECONDS):
        if not (pack_folder / name).exists():
            raise MissingDataError(f"--resume-from: expected {RAW} and {SECONDS} in {pack_folder}, {name} is not there")
    packed = read_provenance(pack_folder / RAW).get("config", {})
    refuse_difference(f"{pack_folder / RAW}", packed, fingerprint)
    raw = read_frame(pack_folder / RAW)
    rows = raw.join(read_frame(pack_folder / SECONDS), on=["arch", "seed"], how="left", maintain_order="left")
    columns = [name for name in rows.columns if name != "cpu"]
    done = 0
    place = _positions(int(packed["task.data_seed"]))
    for row in rows.select(*columns, "cpu").iter_slices(1):
        target = units / f"{unit_name(place[row['arch'][0]], row['seed'][0])}.parquet"
        if not target.exists():
            write_frame(row.rechunk(), target)
            done += 1
    return done


def refuse_difference(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """`BuildError` that names the settings which differ, with both values."""
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if changed:
        told = "; ".join(f"{name}: expected {new.get(name)}, got {old.get(name)}" for name in changed)
        raise BuildError(f"{where}: holds runs of other settings ({told}); choose another --out, or the same settings")


def finish(raw: Path, to: Path) -> Path:
    """Write the thin table of a packed raw file: its rows with class weights, and fractions rounded by `KEPT_BITS`.

    Added columns: ``position, size, drawn`` of `nasanalysis.builders.digits2_plan`; ``drawn`` is of the classes that
    are complete (every class before them too), null for the others. Beside the table stands `COSTS`, which two builds
    never have in common: ``arch, seed, seconds_train`` of each run, and in its metadata the median ``seconds`` of every
    measure.
    """
    rows, record = read_frame(raw), read_provenance(raw)
    _write_costs(read_frame(raw.with_name(SECONDS)), to)
    seed = int(record["config"]["task.data_seed"])
    every = class_weights(len(class_order(seed)), seed).drop("drawn")
    weights = class_weights(max(record["complete_classes"], 1), seed).select("arch", "drawn")
    if not record["complete_classes"]:
        weights = weights.clear()
    table = rows.join(every, on="arch", how="left", maintain_order="left")
    table = table.join(weights, on="arch", how="left", maintain_order="left")
    table = table.with_columns(_rounded(table[name]) for name in table.columns if _bits(name) is not None)
    leading = ["arch", "seed", "position", "size", "drawn"]
    record["kept_bits"] = KEPT_BITS
    return write_frame(table.select(*leading, pl.exclude(leading)), to / TABLE, record)


def _write_costs(seconds: pl.DataFrame, to: Path) -> None:
    medians = seconds.select(pl.col("^seconds_.*$").cast(pl.Float64).median()).row(0, named=True)
    record = {"seconds": {name.removeprefix("seconds_"): round(value, 5) for name, value in medians.items()}}
    spent = round_fraction(seconds["seconds_train"].fill_null(np.nan).to_numpy(), SECONDS_BITS)
    write_frame(seconds.select("arch", "seed", pl.Series("seconds_train", spent).fill_nan(None)), to / COSTS, record)


def round_fraction(values: np.ndarray, bits: int) -> np.ndarray:
    """float32 numbers with `bits` bits of their fraction, rounded to nearest; the other bits are zero."""
    whole = np.ascontiguousarray(values, dtype=np.float32)
    drop = 23 - bits
    raw = whole.view(np.uint32)
    rounded = ((raw + np.uint32(1 << (drop - 1))) >> np.uint32(drop) << np.uint32(drop)).view(np.float32)
    return np.where(np.isfinite(whole), rounded, whole)


def _bits(name: str) -> int | None:
    return next((bits for start, bits in KEPT_BITS.items() if name.startswith(start)), None)


def _rounded(column: pl.Series) -> pl.Series:
    bits = _bits(column.name)
    assert bits is not None
    flat = column.list.explode(keep_nulls=False, empty_as_null=False)
    values = pl.Series(round_fraction(flat.fill_null(0.0).to_numpy(), bits))
    kept = pl.select(pl.when(flat.is_not_null()).then(values)).to_series()
    ends = np.cumsum(column.list.len().to_numpy())
    return pl.Series(column.name, [kept[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)])


def _finished(build: Path) -> list[Path]:
    paths = sorted((build / "units").glob("[0-9]*.parquet"))
    if not paths:
        raise MissingDataError(f"{build}: expected finished runs in its folder units, found none; build first")
    return paths


def _fingerprint(build: Path) -> dict[str, Any]:
    path = build / "build.json"
    if not path.exists():
        raise MissingDataError(f"{path}: expected the settings of a build, found nothing there; give the build's --out")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def _positions(seed: int) -> dict[str, int]:
    return {str(arch): i for i, arch in enumerate(class_order(seed))}


def _record(rows: pl.DataFrame, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance of packed rows; ``complete_classes``: the first classes of the order that have every seed."""
    seeds = sorted(rows["seed"].unique().to_list())
    record = provenance(seeds={f"training {seed}": seed for seed in seeds}, config=fingerprint, stamp=False)
    record["runs"] = len(rows)
    record["complete_classes"] = _complete(rows, seeds, int(fingerprint["task.data_seed"]))
    record["source"] = SOURCE
    return record


def _complete(rows: pl.DataFrame, seeds: Sequence[int], data_seed: int) -> int:
    done = {arch for arch, count in rows.group_by("arch").len().iter_rows() if count == len(seeds)}
    order = class_order(data_seed)
    return next((i for i, arch in enumerate(order) if str(arch) not in done), len(order))
