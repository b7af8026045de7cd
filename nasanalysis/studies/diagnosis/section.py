"""What a ``[[diagnosis]]`` item shows: numbers at the end of each method, verdicts, trajectories with bands."""

from __future__ import annotations

from functools import partial

import polars as pl

from ...core.errors import UnknownNameError
from ...plots.diagnosed import plot_along, plot_strengths
from ...plots.eigenvalues import plot_eigenvalues
from ...plots.selected import method_label, plot_selected
from ...plots.spectra import plot_spectra
from ...report.cells import number, with_interval
from ...report.model import Figure, Section, Table
from ...search.diagnosed import at_the_end, strength_agreement
from ...search.selected import t_interval
from ...stats.stopping import ROBUST_DARTS, early_stopping, eigenvalue_trajectories
from ..items import Resampling, Sources
from ..judged import NOT_TESTED, Judged, PublishedClaim, claims_table
from .decisions import decisions_table
from .items import DiagnosisItem
from .rules import RULES, Evidence

#: Quantity of TRACE -> (heading and label of its axis, digits).
QUANTITIES = {
    "supernet_valid_accuracy": ("accuracy of the supernet (%)", 1),
    "discrete_valid_accuracy": ("accuracy of the discrete cell (%)", 1),
    "discretisation_drop": ("drop at discretisation (points)", 1),
    "selected_skips": ("skips selected", 1),
    "selected_parameter_free": ("operations without weights", 1),
    "selected_depth": ("depth of the cell", 1),
    "selected_width": ("width of the cell", 1),
    "skip_minus_conv": ("skip less convolutions", 3),
    "arch_hessian_ev": ("most positive eigenvalue", 3),
    "arch_hessian_ev_magnitude": ("eigenvalue of largest magnitude", 3),
    "train_arch_hessian_ev": ("most positive eigenvalue, training images", 3),
}
#: Those that are drawn by epoch.
DRAWN = (
    "selected_skips",
    "selected_depth",
    "supernet_valid_accuracy",
    "discretisation_drop",
    "arch_hessian_ev",
    "skip_minus_conv",
)
#: Column of STRENGTHS -> label of its axis.
WORTH = {
    "strength": "accuracy lost where it is masked (points)",
    "converged_accuracy": "accuracy at convergence with it alone (%)",
}


def diagnosis_section(item: DiagnosisItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where a file is not here, `UnknownNameError` for a rule that is none."""
    trace = sources.frame(item.traces, "TRACE")
    strengths = None if item.strengths is None else sources.frame(item.strengths, "STRENGTHS")
    alphas = None if item.alphas is None else sources.frame(item.alphas, "ALPHAS")
    evidence = Evidence(trace, strengths, item.control)
    judged = [_judge(claim, evidence, resampling.level) for claim in item.claims]
    tables = [_numbers(item, evidence, resampling.level)]
    tables += decisions_table(item, evidence, alphas, resampling.level)
    tables += _stops(item, trace)
    tables += [claims_table(item.name, judged, _NOTE)] if judged else []
    figures = (
        *_by_epoch(item, trace),
        *_eigenvalues(item, trace),
        *_along(item, trace),
        *_strengths(item, strengths),
    )
    return Section(item.title, item.text, tuple(tables), figures, tuple(one.sentence for one in judged))


_NOTE = (
    "Student's interval over seeds, each search one number: with three seeds it is wide. Correlations along a search "
    "say that two numbers go together over its epochs, and both may follow the epochs alone."
)


def _judge(claim: PublishedClaim, evidence: Evidence, level: float) -> Judged:
    if claim.rule == NOT_TESTED:
        return Judged(claim, [])
    if claim.rule not in RULES:
        raise UnknownNameError("rule of a diagnosis", claim.rule, [*RULES, NOT_TESTED])
    return Judged(claim, RULES[claim.rule](evidence, level))


def _numbers(item: DiagnosisItem, evidence: Evidence, level: float) -> Table:
    """A row for each method and quantity: mean of the last five readings, over seeds."""
    rows = []
    for quantity, (label, digits) in QUANTITIES.items():
        ends = at_the_end(evidence.trace, quantity)
        for (method, setting), each in ends.group_by("method", "setting", maintain_order=True):
            rows.append((method, setting, quantity, label, digits, each["value"].to_numpy()))
    if evidence.strengths is not None:
        for (method, setting, epoch), each in strength_agreement(evidence.strengths).group_by(
            "method", "setting", "epoch", maintain_order=True
        ):
            values = each["same"].drop_nulls().to_numpy()
            label = f"edges where α and masking agree on the best, epoch {epoch} (share)"
            rows.append((method, setting, f"same@{epoch}", label, 2, values))
    data, cells = [], []
    for method, setting, quantity, label, digits, values in rows:
        if len(values):
            low, high = t_interval(values, level)
            mean = float(values.mean())
            data.append((method, setting, quantity, mean, low, high, len(values)))
            shown = with_interval(mean, low, high, digits)
            cells.append([label, method_label(str(method), str(setting)), shown, str(len(values))])
    schema = ["method", "setting", "quantity", "mean", "ci_low", "ci_high", "seeds"]
    frame = pl.DataFrame(data, schema=schema, orient="row")
    note = f"Mean of the last five readings of each search; brackets: {100 * level:g} %, Student's t over seeds."
    header = ["what", "method", "at the end", "seeds"]
    return Table(f"{item.name}-numbers", item.title, header, cells, frame, [False, False, True, True], note)


def _stops(item: DiagnosisItem, trace: pl.DataFrame) -> list[Table]:
    """Where early stopping would have ended each search whose eigenvalues its rule could read, and with what."""
    if not _readable(trace):
        return []
    stops = early_stopping(trace)
    genotypes = {
        (method, setting, seed, epoch): skips
        for method, setting, seed, epoch, skips in trace.filter(quantity="selected_skips")
        .select("method", "setting", "seed", "epoch", "value")
        .iter_rows()
    }
    keys = ["method", "setting", "seed"]
    lasts = {
        (method, setting, seed): epoch
        for method, setting, seed, epoch in trace.group_by(keys).agg(pl.col("epoch").max()).iter_rows()
    }
    cells, data = [], []
    for row in stops.iter_rows(named=True):
        key = (row["method"], row["setting"], row["seed"])
        end, back = lasts[key], row["return_epoch"]
        skips = [genotypes.get((*key, epoch)) for epoch in (back, end)]
        data.append((*key, row["stop_epoch"], back, row["ratio"], *skips, end))
        said = ["–" if value is None else str(value) for value in (row["stop_epoch"], back)]
        ratio = "–" if row["ratio"] is None else number(row["ratio"], 2)
        counts = ["–" if value is None else number(value, 0) for value in skips]
        cells.append([method_label(*key[:2]), str(key[2]), *said, ratio, *counts])
    columns = ["method", "setting", "seed", "stop_epoch", "return_epoch", "ratio", "skips_returned", "skips_at_end"]
    frame = pl.DataFrame(data, schema=[*columns, "last_epoch"], orient="row", infer_schema_length=None)
    rule = ROBUST_DARTS
    note = (
        f"Early stopping of RobustDARTS, read off the eigenvalues that were kept: it ends where their mean over "
        f"{rule.window} readings is more than {rule.factor:g} times that of {rule.lag} epochs before, and returns the "
        "cell of then; –: it never fires. DARTS-ADA goes back to the same epoch the first time, and on with more decay."
    )
    header = ["method", "seed", "stops at", "returns", "ratio", "skips returned", "skips at the end"]
    title = "Where early stopping would have ended"
    return [Table(f"{item.name}-stops", title, header, cells, frame, [False, *[True] * 6], note)]


def _readable(trace: pl.DataFrame) -> bool:
    """Whether any search has eigenvalues enough for one window of the rule."""
    if trace.filter(quantity="arch_hessian_ev").drop_nulls("value").is_empty():
        return False
    return bool(eigenvalue_trajectories(trace)["average"].is_not_null().any())


def _eigenvalues(item: DiagnosisItem, trace: pl.DataFrame) -> list[Figure]:
    """Eigenvalues with the rule of early stopping, and whole spectra where they were kept."""
    figures = []
    rows = trace.filter(quantity="arch_hessian_ev").drop_nulls("value")
    if _readable(trace):
        named = rows.with_columns(
            setting=pl.struct("method", "setting").map_elements(
                lambda row: method_label(row["method"], row["setting"]), return_dtype=pl.String
            )
        )
        caption = (
            "Most positive eigenvalue, thin; its mean over a window of early stopping, bold; where that would stop."
        )
        draw = partial(plot_eigenvalues, named, label="method")
        figures.append(Figure(f"{item.name}-stops", caption, draw, rows))
    spectra = trace.filter(quantity="arch_hessian_spectrum").drop_nulls("value")
    for (method, setting), each in spectra.group_by("method", "setting", maintain_order=True):
        who = method_label(str(method), str(setting))
        caption = f"{who}: all eigenvalues of the architecture Hessian, by epoch."
        stem = "".join(c if c.isalnum() else "-" for c in f"{item.name}-spectrum-{method}-{setting}".lower()).strip("-")
        figures.append(Figure(stem, caption, partial(plot_spectra, each), each))
    return figures


def _by_epoch(item: DiagnosisItem, trace: pl.DataFrame) -> list[Figure]:
    figures = []
    for quantity in DRAWN:
        rows = trace.filter(quantity=quantity).drop_nulls("value")
        if rows.height:
            label, _ = QUANTITIES[quantity]
            draw = partial(plot_selected, rows, value="value", ylabel=label)
            caption = f"{label[0].upper()}{label[1:]}, by epoch; band: lowest to highest seed."
            figures.append(Figure(f"{item.name}-{quantity.replace('_', '-')}", caption, draw, rows))
    return figures


def _along(item: DiagnosisItem, trace: pl.DataFrame) -> list[Figure]:
    pairs = (
        ("supernet_valid_accuracy", "skip_minus_conv", "skips"),
        ("arch_hessian_ev", "discretisation_drop", "drop"),
    )
    figures = []
    index = ["method", "setting", "seed", "epoch"]
    for x, y, stem in pairs:
        rows = trace.filter(pl.col("quantity").is_in([x, y])).drop_nulls("value")
        wide = rows.pivot("quantity", index=index, values="value")
        if {x, y} <= set(wide.columns) and wide.drop_nulls([x, y]).height:
            labels = (QUANTITIES[x][0], QUANTITIES[y][0])
            draw = partial(plot_along, wide, x=x, y=y, xlabel=labels[0], ylabel=labels[1])
            caption = f"{labels[1][0].upper()}{labels[1][1:]} against {labels[0]}; a line for each search."
            figures.append(Figure(f"{item.name}-{stem}", caption, draw, wide))
    return figures


def _strengths(item: DiagnosisItem, strengths: pl.DataFrame | None) -> list[Figure]:
    figures: list[Figure] = []
    if strengths is None:
        return figures
    last = strengths.filter(pl.col("epoch") == pl.col("epoch").max().over("method", "setting", "seed"))
    for (method, setting), rows in last.group_by("method", "setting", maintain_order=True):
        for value, label in WORTH.items():
            if rows[value].is_not_null().any():
                draw = partial(plot_strengths, rows, value=value, ylabel=label)
                stem = f"{item.name}-{value}-{method}{'-' + str(setting) if setting else ''}"
                who = method_label(str(method), str(setting))
                caption = f"{who}, all seeds, at the end: {label} against weight; a point for each operation."
                name = "".join(c if c.isalnum() else "-" for c in stem.lower())
                figures.append(Figure(name, caption, draw, rows))
    return figures
