"""Plain tables of truth and scores -> frames: whatever a user has, with the key columns that it leaves out filled in.

=========  ================================  ==============================================================
kind       must have                         may have
=========  ================================  ==============================================================
TRUTH      ``arch, accuracy``                ``dataset, benchmark, split, schedule, seed, origin``; with
                                             ``quantity, quantity_unit, quantity_direction`` another quantity
                                             in ``value``
SCORES     ``arch, proxy, value``, or        ``step, unit, seed, method, setting, dataset, benchmark``
           ``arch`` and a column for each
           proxy (`wide`)
=========  ================================  ==============================================================

What is left out means: split ``test``, no schedule and no seed (a mean over seeds), no method, no setting, no step. A
``benchmark`` or ``dataset`` that only one of the two tables names is that of both. The same rules hold for a file, for
standard input and for a table of pandas, polars or pyarrow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from ...core.errors import ArchError, FrameError, StudyError
from ...core.frames import check, may_repeat, to_polars
from ...core.schemas import SCHEMAS
from ...core.shown import shown, words
from ...spaces import SPACES
from ...spaces.guessing import guess_space
from ...spaces.names import ArchReader
from .plain import PlainTable
from .units import AccuracyUnit, refuse_fractions, to_percent
from .wide import is_wide, long, tell

#: The space of architectures that no known space explains: texts, kept as they are.
OPAQUE = "user"
#: What a table is called where it does not say.
UNNAMED = {"benchmark": "table", "dataset": ""}

_DEFAULTS: dict[str, dict[str, Any]] = {
    "TRUTH": {"split": "test", "schedule": None, "seed": None, "origin": "tabular"},
    "SCORES": {"method": "", "setting": "", "seed": None, "unit": None, "step": None},
}
_NUMBERS = ("accuracy", "value")
_WHOLE = ("schedule", "seed", "step", "quantity_direction")
_ASK = (
    "Say --unit percent if they are right as they are, or --unit fraction, error-percent or error-fraction; in a study "
    "it is a key, unit = 'fraction'"
)
_ASK_IN_PYTHON = (
    "Multiply by 100 where they are fractions; a column quantity_unit of 'percent' says that they are right as they are"
)


def kind_of(table: PlainTable) -> str:
    """``TRUTH`` or ``SCORES``; `FrameError` where its columns are those of neither."""
    names = set(table.frame.columns)
    if {"proxy", "value"} <= names:
        return "SCORES"
    if "accuracy" in names or {"quantity", "value"} <= names:
        return "TRUTH"
    if is_wide(table.frame.columns):
        return "SCORES"
    raise FrameError(
        f"{table.name}: expected columns arch,accuracy (a truth), arch,proxy,value (scores), or arch and a column for "
        f"each proxy, got {words(table.frame.columns, 40)}"
    )


# --- architectures --------------------------------------------------------------------------------------


def names_of(table: PlainTable) -> list[Any]:
    """The architectures as the table writes them: text, or, in Parquet, also numbers, lists and structs."""
    table.need(["arch"])
    values = table.frame["arch"]
    if values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String).to_list()
    if values.dtype.is_integer() or values.dtype.is_nested():
        return values.to_list()
    return table.texts("arch").to_list()


def space_of(names: Sequence[Any]) -> str | None:
    """The space that `names` are spelt in: one of ours by a sample of them, or the one prefix that all carry."""
    if (space := guess_space(names)) is not None:
        return space
    heads = {name.partition(":")[0] if isinstance(name, str) and ":" in name else "" for name in names}
    head = heads.pop() if len(heads) == 1 else ""
    return head if re.fullmatch(r"[A-Za-z][\w.-]*", head) else None


def read_names(names: Sequence[Any], space: str | None, where: str, label: Callable[[int], str]) -> pl.Series:
    """Text ``space:key`` of every name; an error says `where`, and the row by its `label`."""
    home = space or OPAQUE
    if home == OPAQUE and (wrong := next((name for name in names if not isinstance(name, str)), None)) is not None:
        raise FrameError(
            f"{where}: column 'arch': expected text in every row, got {shown.repr(wrong)}; "
            "store it as text (leading zeros are lost in a number), or name the space whose indices these are"
        )
    try:
        return pl.Series("arch", ArchReader(home).all(names, label), dtype=pl.String())
    except ArchError as error:
        raise ArchError(f"{where}, {error}") from error


# --- tables ---------------------------------------------------------------------------------------------


def truth_rows(
    table: PlainTable, space: str | None, *, unit: AccuracyUnit | None = None, todo: str = _ASK
) -> pl.DataFrame:
    """A plain table of a truth, its columns typed and in percent; key columns that it lacks are still lacking.

    unit: of the accuracies; without it, and without a column ``quantity_unit``, numbers that look like fractions are
    refused with the advice `todo`.
    """
    quantity = "quantity" in table.frame.columns and "value" in table.frame.columns
    table.need(["arch"] if quantity else ["arch", "accuracy"])
    rows = _typed(table, space)
    if "accuracy" in rows.columns:
        values, where = _finite(rows["accuracy"]), f"{table.name}: column 'accuracy'"
        if unit is None and "quantity_unit" not in rows.columns:
            refuse_fractions(values, where, todo)
        rows = rows.with_columns(values if unit is None else to_percent(values, unit, where))
    return rows.with_columns(_finite(rows["value"])) if "value" in rows.columns else rows


def score_rows(table: PlainTable, space: str | None, say: Callable[[str], None] = tell) -> pl.DataFrame:
    """A plain table of scores, its columns typed; infinite values stay, key columns that it lacks are still lacking.

    `say` is told which columns were taken as proxies, where the table has one for each.
    """
    table = long(table, say)
    table.need(["arch", "proxy", "value"])
    rows = _typed(table, space)
    return rows.with_columns(proxy=table.texts("proxy"))


def _read_column(table: PlainTable, space: str | None) -> pl.Series:
    """The column of architectures as `read_names` reads it; names that come again and again are read once."""
    if table.height and len(table.frame) > table.height:  # the file's rows, again for every proxy
        once = replace(table, frame=table.frame.head(table.height))
        return pl.concat([_read_column(once, space)] * (len(table.frame) // table.height))
    if table.frame["arch"].dtype != pl.String:
        return read_names(names_of(table), space, table.name, table.place)
    texts = table.texts("arch")
    places = texts.arg_unique().sort()
    different = texts.gather(places)
    read = read_names(different.to_list(), space, table.name, lambda i: table.place(int(places[i])))
    if len(different) == len(texts):
        return read
    return texts.replace_strict(different, read, return_dtype=pl.String()).alias("arch")


def _typed(table: PlainTable, space: str | None) -> pl.DataFrame:
    columns = table.frame.columns
    known = {*SCHEMAS["TRUTH"].columns, *SCHEMAS["SCORES"].columns}
    texts = [c for c in columns if c in known and c not in (*_NUMBERS, *_WHOLE)]
    rows = table.frame.select(texts).with_columns(
        _read_column(table, space),
        *(table.numbers(c).alias(c) for c in _NUMBERS if c in columns),
        *(table.whole_numbers(c).alias(c) for c in _WHOLE if c in columns),
    )
    _refuse_twice(table, rows)
    return rows


def _refuse_twice(table: PlainTable, rows: pl.DataFrame) -> None:
    """`FrameError` where two rows are of one architecture and nothing tells them apart."""
    columns = [c for c in rows.columns if c not in _NUMBERS]
    if not may_repeat(rows, columns):
        return
    keys = pl.struct(columns)
    if (again := rows.select(~keys.is_first_distinct()).to_series().arg_true()).is_empty():
        return
    second = int(again[0])
    first = int(rows.select((keys == keys.get(second)).arg_true().first()).item())
    labels = "seed, split, schedule or dataset" if "accuracy" in rows.columns else "seed, step, setting or dataset"
    raise FrameError(
        f"{table.name}, {table.place(second)}: {rows['arch'][second]} stands there again, after {table.place(first)} "
        f"({len(again)} duplicate rows in all): keep one row of each. If they are not the same, a column {labels} "
        "tells them apart."
    )


def _finite(values: pl.Series) -> pl.Series:
    return values.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first())).to_series().alias(values.name)


# --- key columns ----------------------------------------------------------------------------------------


def completed(rows: pl.DataFrame, kind: str, *, where: str = "") -> pl.DataFrame:
    """Every key column there, and the frame checked; infinite scores stay."""
    rows = _told(rows, {**UNNAMED, **_DEFAULTS[kind]})
    if kind == "TRUTH":
        return _checked(rows, kind, where)
    rows = rows.with_columns(pl.col("method", "setting").fill_null(""))
    finite = _checked(rows.with_columns(_finite(rows["value"].cast(pl.Float64))), kind, where)
    return finite.with_columns(rows["value"].cast(pl.Float64).fill_nan(None))


def _checked(rows: pl.DataFrame, kind: str, where: str) -> pl.DataFrame:
    try:
        return check(rows, kind, where=where)
    except FrameError as error:
        if "duplicate rows" not in str(error):
            raise
        columns = "seed, split, schedule or dataset" if kind == "TRUTH" else "seed, step, setting or dataset"
        raise FrameError(f"{error} If they are not the same, a column {columns} tells them apart.") from None


def _told(rows: pl.DataFrame, labels: dict[str, Any]) -> pl.DataFrame:
    return rows.with_columns(pl.lit(value).alias(c) for c, value in labels.items() if c not in rows.columns)


def paired(truth: pl.DataFrame, scores: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both with ``benchmark`` and ``dataset``: a label that one of them lacks is the other's.

    `StudyError` where the other has several, so that none can be meant.
    """
    for column, unnamed in UNNAMED.items():
        for one, other, what in ((truth, scores, "scores"), (scores, truth, "truth")):
            if column in one.columns:
                continue
            labels = other[column].unique().sort().to_list() if column in other.columns else [unnamed]
            if len(labels) > 1:
                mine = "truth" if what == "scores" else "scores"
                raise StudyError(
                    f"the {what} have several {column}s ({', '.join(map(str, labels[:8]))}), the {mine} do not say "
                    f"of which they are; choose one with --{column}, or add a column {column!r}"
                )
            labelled = one.with_columns(pl.lit(labels[0], pl.String).alias(column))
            truth, scores = (labelled, scores) if what == "scores" else (truth, labelled)
    return truth, scores


def completed_pair(truth: Any, scores: Any) -> tuple[Any, Any]:
    """TRUTH and SCORES of library calls: frames as they are, plain tables of any library completed.

    Plain are a truth without ``split`` or ``origin``, and scores without ``method`` or ``setting``.
    """
    truth, scores = to_polars(truth), to_polars(scores)
    plain = {"TRUTH": _is_plain(truth, "TRUTH"), "SCORES": _is_plain(scores, "SCORES")}
    if not plain["TRUTH"]:
        refuse_unsaid_fractions(truth)
    if not any(plain.values()):
        return truth, scores
    tables = {"TRUTH": PlainTable("truth", truth), "SCORES": PlainTable("scores", scores)}
    space = next((s for kind, is_plain in plain.items() if not is_plain and (s := _prefix(tables[kind]))), None)
    space = space or next((s for table in tables.values() if (s := space_of(names_of(table)))), None)
    if plain["TRUTH"]:
        truth = truth_rows(tables["TRUTH"], space, todo=_ASK_IN_PYTHON)
    if plain["SCORES"]:
        scores = score_rows(tables["SCORES"], space)
    truth, scores = paired(truth, scores)
    return (
        completed(truth, "TRUTH", where="truth") if plain["TRUTH"] else truth,
        completed(scores, "SCORES", where="scores") if plain["SCORES"] else scores,
    )


def completed_scores(scores: Any) -> Any:
    """SCORES: a frame as it is, a plain table of any library completed."""
    return _alone(scores, "SCORES")


def completed_truth(truth: Any) -> Any:
    """TRUTH: a frame as it is, a plain table of any library completed."""
    return _alone(truth, "TRUTH")


def _alone(frame: Any, kind: str) -> Any:
    frame = to_polars(frame)
    if not _is_plain(frame, kind):
        return frame
    table = PlainTable(kind, frame)
    space = space_of(names_of(table))
    is_truth = kind == "TRUTH"
    rows = truth_rows(table, space, todo=_ASK_IN_PYTHON) if is_truth else score_rows(table, space)
    return completed(rows, kind, where=kind)


def refuse_unsaid_fractions(truth: pl.DataFrame) -> None:
    """`FrameError` where a truth that does not say its unit holds fractions."""
    if "accuracy" in truth.columns and "quantity_unit" not in truth.columns and truth["accuracy"].dtype.is_numeric():
        refuse_fractions(_finite(truth["accuracy"].cast(pl.Float64)), "truth: column 'accuracy'", _ASK_IN_PYTHON)


def _is_plain(frame: pl.DataFrame, kind: str) -> bool:
    """Whether it has what a plain table must have, and none of what makes it a frame."""
    if kind == "SCORES" and is_wide(frame.columns):
        return True
    columns = {"arch", "accuracy"} if kind == "TRUTH" else {"arch", "proxy", "value"}
    lacking = {"benchmark", "dataset", *_DEFAULTS[kind]} - set(frame.columns) - {"unit", "step"}
    return columns <= set(frame.columns) and bool(lacking)


def _prefix(table: PlainTable) -> str | None:
    heads = table.frame["arch"].str.split(":").list.first().unique()
    return heads[0] if len(heads) == 1 else None


def said_of_space(table: PlainTable, space: str | None) -> str | None:
    """A sentence on the space that was guessed for the names of `table`; None where they say it themselves."""
    first = names_of(table)[0]
    if space is None:
        return (
            f"{table.name}: no space of ours has such architectures ({shown.repr(first)}); they are compared as texts"
        )
    said = isinstance(first, str) and first.startswith(f"{space}:")
    return None if said or space not in SPACES else f"{table.name}: architectures read as {space}, by their spelling"
