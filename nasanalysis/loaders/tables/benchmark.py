"""Bring your own table: any CSV, Parquet, JSON or pickle file described by a few lines of TOML -> a checked frame.

`nasanalysis.loaders.tables.descriptor` documents the keys of a description; ``docs/bring-your-own-table.md`` has
worked examples. The package's own descriptions of public NAS-Bench-201 files (``data/descriptors``) make
the benchmark ``nb201``; those of the SoTL thesis's ground truth, which is another one, make ``nb201-thesis``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import ArchError, DataFileError, FrameError, MissingDataError
from ...core.frames import SCHEMAS, check, complete
from ...core.reading import reading
from ...core.resources import shipped
from ...spaces.base import Images
from ..benchmark import Benchmark
from ..cache import convert
from ..files import candidates, find, missing
from .arch_codes import index_order, read_archs
from .descriptor import ACCURACY_UNITS, Column, TableDescriptor, load_descriptor
from .rows import Rows, numbers, open_rows
from .steps import refuse_shifted

__all__ = ["TableDescriptor", "load_descriptor", "load_nb201", "load_nb201_thesis", "load_tables", "read_table"]

#: Raise it when a change here changes what a file becomes: cached conversions are then made again.
VERSION = 2

_ROW = "__row"


def read_table(descriptor: TableDescriptor, data: Path | str | None = None) -> pl.DataFrame:
    """The frame that a description says its file holds, checked.

    `data` is the folder of raw files (by default the usual places; a file beside the TOML file comes
    first). `DataFileError` names the file, the row and what is wrong; `MissingDataError` says where the file
    was looked for.
    """
    path = locate(descriptor, data)
    with reading(path, "a table as its description says"):
        try:
            return _assemble(descriptor, open_rows(descriptor, path))
        except (ArchError, FrameError) as error:
            raise DataFileError(f"{path}: {error}") from error


def locate(descriptor: TableDescriptor, data: Path | str | None = None) -> Path:
    """Where a description's file lies."""
    if descriptor.path is not None and (beside := descriptor.path.parent / descriptor.file).is_file():
        return beside
    return find(descriptor.file, data)


# --- rows -> frame ------------------------------------------------------------------------------------


def _assemble(table: TableDescriptor, rows: Rows) -> pl.DataFrame:
    targets = list(table.values)
    frame = pl.DataFrame(
        {_ROW: np.arange(rows.count), "arch": _archs(table, rows)}
        | {name: numbers(rows, rows.column(table.values[name].column)) for name in targets}
    )
    where: dict[str, Any] = {} if table.targets == "dataset" else {"dataset": table.dataset}
    if table.targets == "dataset":
        frame = frame.with_columns(dataset=pl.lit(None, pl.String))
    if table.frame != "SCORES":
        where["schedule"] = table.schedule
    if table.frame == "TRUTH":
        where["split"] = table.split
    frame = frame.with_columns(_key(rows, name, value) for name, value in where.items())
    if isinstance(table.seed, Column) or table.seed is None or isinstance(table.seed, int):
        frame = frame.with_columns(_key(rows, "seed", table.seed))
    frame = _unfold(table, rows, frame, targets)
    frame = frame.with_columns(_convert(table, rows, frame, name) for name in targets)
    frame = frame.with_columns(
        pl.lit(table.benchmark).alias("benchmark"), *(pl.lit(v).alias(k) for k, v in table.keys.items())
    )
    schema = SCHEMAS[table.frame]
    if table.frame == "SCORES":
        kept = [c for c in frame.columns if c not in targets]
        # Before the columns become rows: each proxy has its own, so 200 of them need one look, not 200.
        _refuse_twins(table, rows, frame, [key for key in schema.keys if key in kept])
        frame = frame.drop(_ROW).unpivot(
            on=targets, index=[c for c in kept if c != _ROW], variable_name="proxy", value_name="value"
        )
        frame = frame.with_columns(unit=pl.lit(None, pl.String), step=pl.lit(None, pl.Int64))
    if table.targets is not None:
        frame = _spread(table, frame, targets)
    frame = frame.with_columns(
        pl.lit(None, dtype).alias(c) for c, dtype in schema.columns.items() if c not in frame.columns
    )
    if table.frame != "SCORES":
        _refuse_twins(table, rows, frame, list(schema.keys))
    if table.expected is not None and (count := frame["arch"].n_unique()) != table.expected:
        raise DataFileError(f"{rows.path}: expected {table.expected} architectures, got {count}; is the file complete?")
    return check(frame.drop(_ROW, strict=False), table.frame, where=str(rows.path))


def _spread(table: TableDescriptor, frame: pl.DataFrame, targets: list[str]) -> pl.DataFrame:
    """Several columns of TRUTH -> one row for each: the column's target is its data set, or its quantity."""
    assert table.targets is not None
    kept = [c for c in frame.columns if c not in (*targets, table.targets, "accuracy", "value", "quantity_unit")]
    kept = [c for c in kept if c not in ("quantity", "quantity_direction")]
    frame = frame.unpivot(on=targets, index=kept, variable_name="target", value_name="number")
    said = {target: table.quantity_of(target) for target in targets}
    of = {place: {target: quantity[place] for target, quantity in said.items()} for place in range(3)}
    target, types = pl.col("target"), (pl.String(), pl.String(), pl.Int64())
    named = [target.replace_strict(of[place], return_dtype=dtype) for place, dtype in enumerate(types)]
    frame = frame.with_columns(quantity=named[0], quantity_unit=named[1], quantity_direction=named[2])
    is_accuracy = pl.col("quantity") == "accuracy"
    frame = frame.with_columns(accuracy=pl.when(is_accuracy).then("number"), value=pl.when(~is_accuracy).then("number"))
    if table.targets == "dataset":
        frame = frame.with_columns(dataset=target)
    return frame.drop("target", "number")


def _archs(table: TableDescriptor, rows: Rows) -> list[str]:
    if table.rows == "list":
        return _by_index(table, rows)
    names = rows.keys if rows.keys is not None else list(rows.column(table.arch_column or ""))
    return read_archs(table, names, rows.label)


def _by_index(table: TableDescriptor, rows: Rows) -> list[str]:
    order = index_order(table.space)
    group = np.arange(rows.count)
    if table.group_when_changed and rows.count:
        columns = [np.asarray(numbers(rows, rows.column(name))) for name in table.group_when_changed]
        changed = np.any([c[1:] != c[:-1] for c in columns], axis=0)
        group = np.concatenate([[0], np.cumsum(changed)])
    count = int(group[-1]) + 1 if rows.count else 0
    if count != len(order):
        what = "groups" if table.group_when_changed else "rows"
        raise DataFileError(
            f"{rows.path}: expected {len(order)} {what}, one for each architecture of {table.space} in index order, "
            f"got {count}; "
            "is the file complete? If not, name the architectures in a column."
        )
    return [order[i] for i in group]


def _key(rows: Rows, name: str, value: Any) -> pl.Series:
    if isinstance(value, Column):
        values = rows.column(value.column)
        if name in ("dataset", "split"):
            column = pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
        else:
            column = numbers(rows, values).alias(name)
            whole = (column.is_null() | (column == column.round())) & column.is_finite().fill_null(True)
            if not whole.all():
                row = int((~whole).arg_true()[0])
                raise rows.fail(row, f"{name}: expected a whole number, got {column[row]}")
            column = column.cast(pl.Int64)
        if name != "seed" and column.null_count():
            raise rows.fail(int(column.is_null().arg_true()[0]), f"{name}: expected a value, got nothing")
        return column
    dtype = pl.String if name in ("dataset", "split") else pl.Int64
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, rows.count)


def _unfold(table: TableDescriptor, rows: Rows, frame: pl.DataFrame, targets: list[str]) -> pl.DataFrame:
    """Lists in cells -> one row for each entry: epochs in CURVES, runs elsewhere."""
    lists = [name for name in targets if isinstance(frame[name].dtype, pl.List)]
    if lists and len(lists) != len(targets):
        raise DataFileError(f"{rows.path}: some columns hold lists and others numbers: {', '.join(targets)}")
    if lists:
        lengths = frame.select(pl.col(name).list.len() for name in lists)
        odd = (
            frame.select(_ROW)
            .with_columns(lengths)
            .filter(
                pl.any_horizontal(*(pl.col(name).ne_missing(pl.col(lists[0])) | (pl.col(name) == 0) for name in lists))
            )
        )
        if odd.height:
            raise rows.fail(
                odd[_ROW][0], f"expected lists of one length, got {[odd[name][0] for name in lists]} entries"
            )
    if table.frame == "CURVES":
        if table.step_column is not None:
            if lists:
                raise DataFileError(
                    f"{rows.path}: expected a number in each cell, since 'step_column' is given; got lists"
                )
            steps = _key(rows, "step", Column(column=table.step_column)) + (1 - table.first_step)
            return _bounded(table, rows, frame.with_columns(steps))
        if not lists:
            raise DataFileError(
                f"{rows.path}: expected a list over epochs in each cell, or a 'step_column'; got bare numbers"
            )
        frame = frame.explode(lists).with_columns(step=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(_ROW))
        return _bounded(table, rows, frame)
    if lists:
        if table.seed != "run" and not isinstance(table.seed, list):
            raise DataFileError(
                f'{rows.path}: holds a list of runs in each row; say seed = "run" or seed = [777, 888, ...]'
            )
        frame = frame.explode(lists)
        runs = pl.int_range(pl.len(), dtype=pl.Int64).over(_ROW)
    elif table.seed == "run" or isinstance(table.seed, list):
        runs = pl.int_range(pl.len(), dtype=pl.Int64).over("arch", "dataset")
    else:
        return frame
    frame = frame.with_columns(seed=runs)
    if isinstance(table.seed, list):
        counts = frame.group_by("arch", "dataset", maintain_order=True).agg(pl.len(), pl.col(_ROW).first())
        wrong = counts.filter(pl.col("len") != len(table.seed))
        if wrong.height:
            raise rows.fail(
                wrong[_ROW][0], f"expected {len(table.seed)} runs (seeds {table.seed}), got {wrong['len'][0]}"
            )
        frame = frame.with_columns(pl.col("seed").replace_strict(dict(enumerate(table.seed)), return_dtype=pl.Int64))
    return frame


def _bounded(table: TableDescriptor, rows: Rows, frame: pl.DataFrame) -> pl.DataFrame:
    """Curves whose steps fit their schedule."""
    refuse_shifted(table, frame, rows.path)
    bad = frame.filter((pl.col("step") < 0) | ((pl.col("step") > pl.col("schedule")) & (table.step_unit == "epoch")))
    if bad.height:
        raise rows.fail(
            bad[_ROW][0], f"expected at most {bad['schedule'][0]} epochs (the schedule), got step {bad['step'][0]}"
        )
    return frame.with_columns(unit=pl.lit(table.step_unit))


def _convert(table: TableDescriptor, rows: Rows, frame: pl.DataFrame, name: str) -> pl.Series:
    """Missing markers to null, then the unit to ours."""
    values, unit = frame[name], table.unit_of(name)
    for marker in table.missing_of(name):
        is_marker = values.is_nan() if math.isnan(marker) else values == marker
        values = values.zip_with(
            ~is_marker.fill_null(False), pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
        )

    def first_bad(bad: pl.Series, problem: Callable[[float], str]) -> None:
        at = bad.fill_null(False).arg_true()
        if len(at):
            place = rows.label(int(frame[_ROW][int(at[0])]))
            more = f" (and {len(at) - 1} more)" if len(at) > 1 else ""
            raise DataFileError(f"{rows.path}: {place}: {name}: {problem(values[int(at[0])])}{more}")

    first_bad(
        ~values.is_finite(),
        lambda v: f'expected a finite number, got {v}; if it means "not measured", say missing = [{v}]',
    )
    if unit in ACCURACY_UNITS:
        top, other = (100.0, "fraction") if unit.endswith("percent") else (1.0, "percent")
        first_bad(
            ~values.is_between(0, top),
            lambda v: (
                f"expected {unit}, 0 to {top:g}, got {v:g}; is its unit another, or is it a mark for a missing value?"
            ),
        )
        biggest = values.max()
        if top == 100.0 and values.len() - values.null_count() > 1 and isinstance(biggest, float) and biggest <= 1:
            raise DataFileError(
                f"{rows.path}: {name}: declared {unit!r}, but no value is above 1: these look like fractions; "
                f"say unit = {unit.replace('percent', other)!r}"
            )
    if unit in ("count", "millions"):
        first_bad(values < 0, lambda v: f"expected a count, got {v:g}")
    if unit == "count":
        first_bad(values != values.round(), lambda v: f"expected a whole number, got {v:g}; is its unit 'millions'?")
    match unit:
        case "fraction":
            values = values * 100
        case "error-percent":
            values = 100 - values
        case "error-fraction":
            values = 100 - values * 100
        case "millions":
            values = (values * 1e6).round()
    return values.alias(name)


def _refuse_twins(table: TableDescriptor, rows: Rows, frame: pl.DataFrame, keys: list[str]) -> None:
    twins = frame.filter(pl.struct(keys).is_duplicated())
    if twins.is_empty():
        return
    first = twins.row(0, named=True)
    same = twins.filter(pl.all_horizontal(pl.col(k).eq_missing(pl.lit(first[k])) for k in keys))
    places = list(dict.fromkeys(rows.label(int(i)) for i in same[_ROW]))
    hint = '; if these are runs with unknown seeds, say seed = "run"' if table.seed is None else ""
    raise DataFileError(
        f"{rows.path}: {first['arch']} appears more than once, at {' and '.join(places[:3])}; "
        f"keep one row for each key{hint}"
    )


# --- benchmarks ---------------------------------------------------------------------------------------


def load_nb201(data: Path | None = None) -> Benchmark:
    """NAS-Bench-201 = NATS-Bench tss, from whatever public tables of it are on this machine.

    The union of the shipped descriptions (``data/descriptors``); each file that is found adds what it holds.
    """
    return _shipped("nb201", data)


def load_nb201_thesis(data: Path | None = None) -> Benchmark:
    """The SoTL thesis's own ground truth of NAS-Bench-201: one run drawn for each architecture and dataset."""
    return _shipped("nb201-thesis", data)


def _shipped(name: str, data: Path | None) -> Benchmark:
    every = [load_descriptor(path) for path in sorted(shipped("data/descriptors").glob("*.toml"))]
    ours = [d for d in every if d.benchmark == name]
    present, absent = [], []
    for descriptor in ours:
        try:
            present.append((descriptor, locate(descriptor, data)))
        except MissingDataError:
            absent.append(descriptor)
    if not present:
        looked = [path for d in ours for path in candidates(d.file, data)[:1]]
        raise missing(f"benchmark {name}", looked, [d.file for d in ours])
    return _union(name, present, data, absent)


def load_tables(paths: Iterable[Path | str], data: Path | str | None = None) -> Benchmark:
    """One benchmark from a user's own TOML descriptions, which must agree in ``benchmark`` and ``space``."""
    descriptors = [load_descriptor(path) for path in paths]
    names = sorted({(d.benchmark, d.space) for d in descriptors})
    if len(names) != 1:
        raise DataFileError(f"expected descriptions of one benchmark over one space, got {names or 'none'}")
    return _union(names[0][0], [(d, locate(d, data)) for d in descriptors], data, [])


def _union(
    name: str,
    present: Sequence[tuple[TableDescriptor, Path]],
    data: Path | str | None,
    absent: Sequence[TableDescriptor],
) -> Benchmark:
    def reader(frame: str) -> Callable[[], pl.LazyFrame]:
        ours = [(d, path) for d, path in present if d.frame == frame]

        @cache
        def read() -> pl.DataFrame:
            # A conversion kept by an earlier version lacks the columns that frames have gained since.
            frames = [complete(_converted(d, path, data).lazy(), frame).collect() for d, path in ours]
            whole = pl.concat(frames)
            if len(frames) > 1 and whole.select(pl.struct(*SCHEMAS[frame].keys).is_duplicated().any()).item():
                check(whole, frame, where=" + ".join(d.path.name if d.path else d.file for d, _ in ours))
            return whole

        return lambda: read().lazy()

    datasets: dict[str, None] = {}
    images: dict[str, Images] = {}
    for descriptor, path in present:
        names = _datasets(descriptor, lambda d=descriptor, p=path: _converted(d, p, data))  # type: ignore[misc]
        datasets.update(dict.fromkeys(names))
        images |= {name: of for name in names if (of := descriptor.images(name)) is not None}
    notes = list(dict.fromkeys(f"{d.file}: {note}" for d, _ in present for note in d.notes))
    if absent:
        notes.append("not on this machine: " + ", ".join(dict.fromkeys(d.file for d in absent)))
    return Benchmark(
        name=name,
        space=present[0][0].space,
        datasets=tuple(sorted(datasets, key=str.casefold)),
        inputs=tuple(dict.fromkeys(path for _, path in present)),
        read={
            frame: reader(frame) for frame in ("TRUTH", "CURVES", "SCORES") if any(d.frame == frame for d, _ in present)
        },
        notes=tuple(notes),
        metadata={"licences": {d.file: d.licence for d, _ in present if d.licence}, "images": images},
    )


def _datasets(table: TableDescriptor, frame: Callable[[], pl.DataFrame]) -> list[str]:
    """Names of the data sets of one description; its file is read where they stand in a column."""
    if isinstance(table.dataset, str):
        return [table.dataset]
    if table.targets == "dataset":
        return list(table.values)
    return frame()["dataset"].unique(maintain_order=True).to_list()


def _converted(descriptor: TableDescriptor, path: Path, data: Path | str | None) -> pl.DataFrame:
    said = descriptor.model_dump_json() + json.dumps(descriptor.keys)
    name = f"table-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
    return convert(path, name, VERSION, lambda: read_table(descriptor, data))
