"""What a ``[[diffsearch]]`` item shows: what each method selects, judged by a truth; how sure its decisions were."""

from __future__ import annotations

from typing import Any

import polars as pl

from ...core.errors import StudyError, UnknownNameError
from ...plots.selected import method_label, plot_selected, row_label
from ...report.cells import number
from ...report.model import Figure, Mark, Section, Table
from ...search.selected import selected_by_epoch, summarise_selected, truth_means
from ..items import Resampling, Sources
from ..truth import read_truth
from .items import DiffSearchItem

#: Quantity of a TRACE -> heading of its column, read at the end of a search.
AT_THE_END = {
    "alpha_updates": "steps of α",
    "largest_alpha": "largest |α|",
    "margin": "margin",
    "skips": "skips",
    "supernet_valid_accuracy": "supernet (%)",
}

#: Percent of validation accuracy below which a supernet says nothing of a method.
LEARNED = 30.0


def diffsearch_section(item: DiffSearchItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    trace = sources.frame(item.traces, "TRACE")
    truth = _truth(item, sources, trace)
    selected = selected_by_epoch(trace, truth)
    summary = summarise_selected(selected, level=resampling.level)
    table = _table(item, trace, truth, summary)
    labels = {row_label(*row): row for row in summary.select("method", "setting").iter_rows()}
    if lost := [label for label in item.methods if label not in labels]:
        raise UnknownNameError("method of these traces", lost[0], list(labels))
    shown = pl.DataFrame(
        [labels[label] for label in item.methods or labels], schema=["method", "setting"], orient="row"
    )
    chosen = selected.join(shown, on=["method", "setting"], how="semi", maintain_order="left")
    figures = []
    if chosen.filter(~pl.col("last")).drop_nulls("accuracy").height:
        levels = _levels(truth)

        def draw() -> Any:
            return plot_selected(chosen, lines=levels)

        caption = "True accuracy of the cell that would be selected after each epoch; band: lowest to highest seed."
        figures.append(Figure(f"{item.name}-by-epoch", caption, draw, chosen))
    return Section(item.title, item.text, (table,), tuple(figures), sentences(summary))


def selections(item: DiffSearchItem, sources: Sources) -> pl.DataFrame:
    """What each search of the item selects and would have selected, with its true accuracy (`selected_by_epoch`)."""
    trace = sources.frame(item.traces, "TRACE")
    return selected_by_epoch(trace, _truth(item, sources, trace))


def _truth(item: DiffSearchItem, sources: Sources, trace: pl.DataFrame) -> pl.DataFrame:
    if item.truth is not None:
        # a cell that two runs selected was trained in both, by the same seeds: once is enough
        return sources.frame(item.truth, "TRUTH").unique(["arch", "seed"], keep="first", maintain_order=True)
    assert item.benchmark is not None
    benchmark = sources.benchmark(item.benchmark)
    if item.dataset is None:
        raise StudyError(f"{item.name}: expected dataset, one of {', '.join(benchmark.datasets)}")
    return read_truth(
        sources, benchmark, item.dataset, split=item.split, schedule=item.schedule, sample="all", asker=item.name,
        archs=_selected(trace) if item.selected_alone else None,
    )  # fmt: skip


def _selected(trace: pl.DataFrame) -> list[str]:
    """Every architecture that a search selected, or would have after some epoch."""
    texts = trace.filter(pl.col("quantity").is_in(["genotype", "selected"]))["text"]
    return texts.drop_nulls().unique(maintain_order=True).to_list()


def _levels(truth: pl.DataFrame) -> dict[str, float]:
    """What a search can hope for, and what a draw gives: where the truth knows thousands of cells alone."""
    means = truth_means(truth)["accuracy"]
    if len(means) < 1000:
        return {}
    return {"best of the space": float(means.max()), "mean of the space": float(means.mean())}  # type: ignore[arg-type]


def _table(item: DiffSearchItem, trace: pl.DataFrame, truth: pl.DataFrame, summary: pl.DataFrame) -> Table:
    ends = _at_the_end(trace)
    data = summary.join(ends, on=["method", "setting"], how="left", maintain_order="left")
    columns = [name for name in AT_THE_END if name in data.columns and data[name].is_not_null().any()]
    header = ["method", "setting", "seeds", "true accuracy (%)", "interval", *(AT_THE_END[name] for name in columns)]
    rows, marks = [], []
    for row in data.iter_rows(named=True):
        interval = "–" if row["ci_low"] is None else f"[{number(row['ci_low'], 2)}, {number(row['ci_high'], 2)}]"
        mean = "–" if row["mean"] is None else number(row["mean"], 2)
        digits = {"alpha_updates": 0, "skips": 1, "supernet_valid_accuracy": 1}
        rest = ["–" if row[name] is None else number(row[name], digits.get(name, 3)) for name in columns]
        rows.append([method_label(row["method"]), row["setting"] or "–", str(row["n_seeds"]), mean, interval, *rest])
        mark = {"best": Mark.BEST, "tied": Mark.TIE}.get(row["standing"] or "", Mark.NONE)
        marks.append([Mark.NONE] * 3 + [mark] + [Mark.NONE] * (len(header) - 4))
    lacking = int(summary["n_undefined"].sum())
    note = (
        "True accuracy of the architecture that each search selected, mean over seeds; interval: Student's t over "
        "seeds. Bold: the best mean; a dagger: not told apart from it by the differences of shared seeds. Margin: by "
        "how much the weight of a decision's best candidate is ahead of the second, mean over decisions. Numbers are "
        "those of the last epoch."
    )
    if lacking:
        note += f" {lacking} of the selected architectures have no true accuracy and are left out."
    if weak := _weak(data):
        note += f" Supernets below {LEARNED:g} % have hardly learned, so their rows say little: {', '.join(weak)}."
    if levels := _levels(truth):
        note += " Of all architectures: " + ", ".join(f"{k} {number(v, 2)}" for k, v in levels.items()) + "."
    numeric = [False, False, *[True] * (len(header) - 2)]
    return Table(f"{item.name}-selected", item.title, header, rows, data, numeric, note, marks)


def _weak(data: pl.DataFrame) -> list[str]:
    """Rows that search, and whose supernet is below `LEARNED`."""
    if not {"supernet_valid_accuracy", "alpha_updates"} <= set(data.columns):
        return []
    rows = data.filter((pl.col("supernet_valid_accuracy") < LEARNED) & (pl.col("alpha_updates") > 0))
    return [method_label(*row) for row in rows.select("method", "setting").iter_rows()]


def _at_the_end(trace: pl.DataFrame) -> pl.DataFrame:
    """Quantities of the last epoch of each search, averaged over seeds."""
    rows = trace.filter(pl.col("quantity").is_in(list(AT_THE_END)))
    last = rows.filter(pl.col("epoch") == pl.col("epoch").max().over("method", "setting", "seed", "quantity"))
    return (
        last.group_by("method", "setting", "quantity")
        .agg(pl.col("value").mean())
        .pivot("quantity", index=["method", "setting"])
    )


def sentences(summary: pl.DataFrame) -> tuple[str, ...]:
    """What follows by rule: which method is best, what is not told apart from it, and how the controls stand."""
    rows = summary.drop_nulls("mean").to_dicts()
    if len(rows) < 2:
        return ()

    def label(row: dict[str, Any]) -> str:
        return method_label(row["method"], row["setting"])

    best = next(row for row in rows if row["standing"] == "best")
    tied = [label(row) for row in rows if row["standing"] == "tied"]
    behind = [label(row) for row in rows if row["standing"] == "behind"]
    said = f"Of differentiable searches, {label(best)} selects the best cells on average"
    said += f" ({number(best['mean'], 2)} %)"
    said += f"; not told apart from it: {', '.join(tied)}" if tied else ""
    said += f"; behind it: {', '.join(behind)}" if behind else ""
    return (f"{said}.",)
