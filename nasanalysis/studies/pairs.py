"""A truth and scores, each a benchmark, a proxy or a user's own file, read and matched by their labels.

Scores are set against the truth of the same benchmark and the same data set. A plain table that names neither takes the
other side's. Where both name one and they differ, that is an error, or a transfer that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..core.errors import MissingCapabilityError, StudyError, UnknownNameError
from ..loaders import BENCHMARKS, Benchmark
from ..loaders.sources import Sources
from ..loaders.tables.load import is_own
from ..loaders.tables.own import (
    OPAQUE,
    completed,
    names_of,
    paired,
    said_of_space,
    score_rows,
    space_of,
    truth_rows,
)
from ..loaders.tables.plain import STDIN, SUFFIXES, PlainTable, is_plain, read_plain
from ..loaders.tables.units import AccuracyUnit, known_unit
from ..proxies import PROXIES, get_proxy, score
from ..spaces import SPACES

#: What the benchmark of scores of live networks is called, before their space (`nasanalysis.networks.base`).
LIVE = "live-"
_LABELS = ("benchmark", "dataset")


@dataclass(frozen=True)
class Asked:
    """Which truth, and how plain tables are meant.

    Attributes
    ----------
    dataset, split, schedule, quantity: of the truth; each may be None where there is only one (`split`: ``test``). A
        plain table that lacks such a column is what is asked for.
    transfer: ``DATASET`` or ``BENCHMARK/DATASET`` of scores that are to be set against a truth of another.
    unit: of the accuracies of a plain table, one of `nasanalysis.loaders.tables.units.UNITS`.
    space: of the architectures of plain tables, where their spelling does not tell it (bare indices, say).
    """

    dataset: str | None = None
    split: str | None = None
    schedule: int | None = None
    quantity: str | None = None
    transfer: str | None = None
    unit: AccuracyUnit | None = None
    space: str | None = None

    def __post_init__(self) -> None:
        known_unit(self.unit)


def read_pair(
    truth: str, scores: str, asked: Asked, sources: Sources, say: Callable[[str], None] = lambda _: None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """TRUTH and SCORES; infinite scores are left as they are. `say` is told what was guessed and left out."""
    if truth == scores == STDIN:
        raise StudyError("expected one of truth and scores on standard input, got both")
    truth_table = _plain(truth, BENCHMARKS, "benchmark", sources)
    score_table = _plain(scores, PROXIES, "proxy", sources)
    benchmark = None if truth_table is not None else sources.benchmark(truth)
    if benchmark is not None:
        _refuse_idle(asked, benchmark, truth)
    space = benchmark.space if benchmark is not None else _space(asked, truth_table, score_table, say)
    if truth_table is not None:
        facts = _chosen(truth_rows(truth_table, space, unit=asked.unit), truth, asked)
    else:
        assert benchmark is not None
        labelled = is_own(scores) and (score_table is None or "dataset" in score_table.frame.columns)
        facts = _recorded(benchmark, asked, several=labelled)
    if score_table is None and not is_own(scores):
        return _of_proxy(scores, facts, benchmark, space, truth, asked)
    rows = (
        score_rows(score_table, space, say)
        if score_table is not None
        else _described(sources.benchmark(scores), scores)
    )
    facts, rows = _matched(facts, rows, asked, scores, say)
    if "benchmark" not in facts.columns and "benchmark" not in rows.columns:
        facts = facts.with_columns(benchmark=pl.lit(_stem(truth)))
    facts, rows = paired(facts, rows)
    return completed(facts, "TRUTH", where=truth), completed(rows, "SCORES", where=scores)


def _refuse_idle(asked: Asked, benchmark: Benchmark, truth: str) -> None:
    """`StudyError` for what is said of a plain truth where the truth says it itself."""
    if asked.unit is not None:
        raise StudyError(f"{truth}: --unit is of a plain table of accuracies; this one says its unit, leave it out")
    if asked.space not in (None, benchmark.space):
        raise StudyError(f"{truth}: --space {asked.space}: its architectures are of {benchmark.space}")


# --- plain tables ---------------------------------------------------------------------------------------


def _plain(text: str, names: object, kind: str, sources: Sources) -> PlainTable | None:
    """The plain table at `text`; None for a name or a description."""
    if is_plain(text):
        path = STDIN if text == STDIN else sources.user_file(text)
        if text != STDIN and not Path(path).exists():
            columns = "arch, accuracy" if kind == "benchmark" else "arch, proxy, value"
            raise StudyError(f"{path}: expected a table with columns {columns}, found no such file")
        return read_plain(path)
    if Path(text).suffix.lower() != ".toml" and Path(text).is_file():
        raise StudyError(f"{text}: expected a {kind}, or a file ending in {', '.join(('.toml', *SUFFIXES))}")
    return None


def _space(asked: Asked, truth: PlainTable | None, scores: PlainTable | None, say: Callable[[str], None]) -> str | None:
    """The space of plain tables: as asked, else by the spelling of the truth, else by that of the scores."""
    if asked.space is not None:
        return asked.space
    tables = [table for table in (truth, scores) if table is not None and "arch" in table.frame.columns]
    spaces = [(table, space_of(names_of(table))) for table in tables]
    table, space = next(
        ((t, s) for t, s in spaces if s in SPACES), next(((t, s) for t, s in spaces if s), (None, None))
    )
    note = said_of_space(table or tables[0], space) if tables else None
    if note is not None:
        say(f"{note} (--space says otherwise)")
    return space


def _stem(path: str) -> str:
    return "table" if path == STDIN else Path(path).stem


def _chosen(rows: pl.DataFrame, truth: str, asked: Asked) -> pl.DataFrame:
    """The rows of a plain truth that are asked for; columns that it lacks are what is asked for."""
    split = asked.split or "test"
    wanted = {"dataset": asked.dataset, "split": split, "schedule": asked.schedule, "quantity": asked.quantity}
    for column, value in wanted.items():
        if value is None or (column == "quantity" and column not in rows.columns):
            continue
        if column not in rows.columns:
            rows = rows.with_columns(pl.lit(value).alias(column))
        kept = rows.filter(pl.col(column) == value)
        if kept.is_empty():
            there = ", ".join(map(str, rows[column].unique().sort().to_list()[:8]))
            raise StudyError(f"{truth}: no row with {column} {value!r}; it has {there}: choose one with --{column}")
        rows = kept
    _refuse_several(rows, truth, ("schedule", "quantity"))
    return rows


# --- benchmarks -----------------------------------------------------------------------------------------


def _recorded(benchmark: Benchmark, asked: Asked, *, several: bool) -> pl.DataFrame:
    """The truth of a benchmark; `several`: whether scores say of which data set they are, so that all may be meant."""
    dataset, name = asked.dataset, benchmark.name
    if dataset is None and not several and len(benchmark.datasets) > 1:
        raise StudyError(
            f"benchmark {name!r} has several datasets: choose one with --dataset: {', '.join(benchmark.datasets)}"
        )
    if dataset is None and len(benchmark.datasets) == 1:
        dataset = benchmark.datasets[0]
    split = asked.split or "test"
    frame = benchmark.truth(dataset, split=split, schedule=asked.schedule, quantity=asked.quantity)
    if frame.is_empty():
        known = benchmark.truth(dataset).select("split", "schedule").unique().sort("split", "schedule").rows()
        raise StudyError(
            f"{name}/{dataset}: no {split} {asked.quantity or 'accuracy'}"
            f"{f' of schedule {asked.schedule}' if asked.schedule else ''}; "
            f"recorded (split, schedule): {', '.join(f'{s} {e}' for s, e in known)}"
        )
    _refuse_several(frame, f"{name}/{dataset or 'all data sets'}", ("schedule", "quantity"))
    return frame


def _refuse_several(frame: pl.DataFrame, where: str, columns: Sequence[str]) -> None:
    """`StudyError` where one data set has several truths to choose from."""
    for column in columns:
        if column not in frame.columns:
            continue
        by = ["dataset"] if "dataset" in frame.columns else []
        counts = frame.group_by(by).agg(pl.col(column).n_unique()) if by else frame.select(pl.col(column).n_unique())
        if (counts[column] > 1).any():
            there = ", ".join(map(str, frame[column].unique().sort().to_list()))
            raise StudyError(f"{where}: several {_plural(column)}: choose one with --{column}, of {there}")


def _plural(column: str) -> str:
    return {"quantity": "quantities"}.get(column, f"{column}s")


def _described(benchmark: Benchmark, scores: str) -> pl.DataFrame:
    rows = benchmark.lazy("SCORES").collect()
    if rows.is_empty():
        raise StudyError(f"{scores}: expected a description of scores (frame = 'SCORES'), got none")
    return rows


# --- scores ---------------------------------------------------------------------------------------------


def _of_proxy(
    proxy: str, facts: pl.DataFrame, benchmark: Benchmark | None, space: str | None, truth: str, asked: Asked
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A proxy of the benchmark of the truth; of a plain truth a cost, which its space counts."""
    if benchmark is None:
        home = space or OPAQUE
        labels = {"benchmark": _stem(truth), "dataset": asked.dataset or ""}
        facts = facts.with_columns(pl.lit(v).alias(c) for c, v in labels.items() if c not in facts.columns)
        facts = completed(facts, "TRUTH", where=truth)
        benchmark = _of_costs(proxy, facts, home)
    datasets = facts["dataset"].unique(maintain_order=True).to_list()
    if asked.transfer is None or len(datasets) > 1:
        return facts, pl.concat([score(benchmark, proxy, dataset=dataset) for dataset in datasets])
    name = asked.transfer.rpartition("/")[2]
    return facts, transferred(score(benchmark, proxy, dataset=name), facts["benchmark"][0], datasets[0], name)


def _of_costs(proxy: str, facts: pl.DataFrame, space: str) -> Benchmark:
    needs = get_proxy(proxy).needs
    if needs != "archs":
        raise StudyError(
            f"--scores {proxy}: it is read from {needs}, which a truth file does not hold; "
            "use a benchmark as --truth, or write the scores with `nasanalysis score` first"
        )
    if space not in SPACES:
        instead = "name their space with --space if it is one of ours, or give their costs as scores"
        raise MissingCapabilityError(space, f"count {proxy}", "entry in nasanalysis.spaces.SPACES", instead)
    names = facts["benchmark"].unique()
    return Benchmark(
        name=str(names[0]),
        space=space,
        datasets=tuple(facts["dataset"].unique(maintain_order=True)),
        read={"TRUTH": lambda: facts.lazy()},
    )


def transferred(rows: pl.DataFrame, benchmark: str, dataset: str, source: str) -> pl.DataFrame:
    """Scores of `source` under the labels of a truth of another data set; the column ``setting`` says so."""
    setting = pl.col("setting").fill_null("") if "setting" in rows.columns else pl.lit("")
    return rows.with_columns(
        benchmark=pl.lit(benchmark), dataset=pl.lit(dataset), setting=pl.lit(f"scored on {source};") + setting
    )


def _matched(
    facts: pl.DataFrame, rows: pl.DataFrame, asked: Asked, scores: str, say: Callable[[str], None]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Truth and scores of the labels that both have."""
    if asked.transfer is not None:
        return facts, _transfer(facts, rows, asked.transfer, scores)
    rows = _of_live_networks(facts, rows)
    for column in _LABELS:
        if column not in facts.columns or column not in rows.columns:
            continue
        there, known = (sorted(frame[column].unique().to_list()) for frame in (rows, facts))
        both = [label for label in there if label in known]
        if not both:
            raise StudyError(_differ(scores, column, there, known, asked))
        if lost := [label for label in there if label not in both]:
            n = rows.filter(pl.col(column).is_in(lost)).height
            say(f"{scores}: {n:,} rows of {column} {', '.join(lost)} are left out: the truth is of {', '.join(both)}")
        if bare := [label for label in known if label not in both]:
            say(f"{scores}: no scores of {column} {', '.join(bare)}, of which there is a truth")
        facts, rows = (frame.filter(pl.col(column).is_in(both)) for frame in (facts, rows))
    return facts, rows


def _of_live_networks(facts: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Scores that our commands read from live networks of a space (``live-nb201``), as scores of the truth's benchmark.

    They belong to no table: whatever benchmark knows the same architectures, on the same data set, is their truth.
    """
    if "benchmark" not in rows.columns or "benchmark" not in facts.columns or facts["benchmark"].n_unique() != 1:
        return rows
    spaces = facts["arch"].str.split(":").list.first().unique()
    live = pl.col("benchmark").is_in([f"{LIVE}{space}" for space in spaces])
    return rows.with_columns(benchmark=pl.when(live).then(pl.lit(facts["benchmark"][0])).otherwise("benchmark"))


def _differ(scores: str, column: str, there: Sequence[str], known: Sequence[str], asked: Asked) -> str:
    names = ", ".join(there[:8])
    todo = f"say --transfer {there[0]}" if column == "dataset" else f"say --transfer {there[0]}/DATASET"
    other = "" if asked.dataset is not None or column != "dataset" else " Or choose the truth's with --dataset."
    return (
        f"{scores}: scores of {column} {names}, and a truth of {', '.join(known[:8])}: no pair of the same name. "
        f"If they are to be set against each other all the same, {todo}.{other}"
    )


def _transfer(facts: pl.DataFrame, rows: pl.DataFrame, transfer: str, scores: str) -> pl.DataFrame:
    home, _, name = transfer.rpartition("/")
    for column, value in (("dataset", name), ("benchmark", home)):
        if value and column not in rows.columns:
            raise StudyError(f"{scores}: --transfer {transfer}: expected a column {column!r} that says so, got none")
        kept = rows.filter(pl.col(column) == value) if value else rows
        if kept.is_empty():
            raise UnknownNameError(f"{column} of these scores", value, sorted(rows[column].unique().to_list()))
        rows = kept
    labels = {}
    for column in _LABELS:
        known = (
            facts[column].unique().to_list() if column in facts.columns else [{"benchmark": "table"}.get(column, "")]
        )
        if len(known) > 1:
            raise StudyError(f"--transfer {transfer}: expected a truth of one {column}, got {', '.join(sorted(known))}")
        labels[column] = known[0]
    return transferred(rows, labels["benchmark"], labels["dataset"], transfer)


__all__ = ["Asked", "read_pair", "transferred"]
