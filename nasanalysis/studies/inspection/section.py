"""What an ``[[inspection]]`` item shows: shuffles, selections, Proposition 1, landscapes, cells; verdicts."""

from __future__ import annotations

from functools import partial

import polars as pl

from ...core.errors import UnknownNameError
from ...core.frames import read_frame
from ...plots.diagnosed import plot_estimates
from ...plots.relaxed import plot_relaxed_cell
from ...plots.selected import method_label, plot_selected, row_label
from ...plots.surfaces import plot_loss_surface
from ...report.cells import number, with_interval
from ...report.model import Figure, Section, Table
from ...search.inspected import selection_ends, selection_phases, shuffle_losses, skip_agreement
from ...search.selected import t_interval
from ..items import Resampling, Sources
from ..judged import NOT_TESTED, Judged, PublishedClaim, claims_table
from .items import InspectionItem
from .rules import RULES, Evidence

_OVER_SEEDS = "Mean over searches; brackets: Student's t over seeds."


def inspection_section(item: InspectionItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where a file is not here, `UnknownNameError` for a rule that is none."""
    evidence = Evidence(
        *(
            sources.frame(names, "TRACE") if names else None
            for names in (item.estimates, item.shuffles, item.selections)
        )
    )
    judged = [_judge(claim, evidence, resampling.level) for claim in item.claims]
    tables = [
        *_shuffles(item, evidence, resampling.level),
        *_selections(item, evidence, resampling.level),
        *_agreement(item, evidence, resampling.level),
    ]
    tables += (
        [claims_table(item.name, judged, "Student's interval over seeds, each search one number.")] if judged else []
    )
    figures = (*_phases(item, evidence), *_estimates(item, evidence), *_surfaces(item, sources), *_cells(item, sources))
    return Section(item.title, item.text, tuple(tables), tuple(figures), tuple(one.sentence for one in judged))


def _judge(claim: PublishedClaim, evidence: Evidence, level: float) -> Judged:
    if claim.rule == NOT_TESTED:
        return Judged(claim, [])
    if claim.rule not in RULES:
        raise UnknownNameError("rule of an inspection", claim.rule, [*RULES, NOT_TESTED])
    return Judged(claim, RULES[claim.rule](evidence, level))


def _mean(values: pl.Series, level: float, digits: int) -> str:
    numbers = values.drop_nulls().to_numpy()
    return with_interval(float(numbers.mean()), *t_interval(numbers, level), digits) if len(numbers) else "–"


def _shuffles(item: InspectionItem, evidence: Evidence, level: float) -> list[Table]:
    if evidence.shuffles is None:
        return []
    losses = shuffle_losses(evidence.shuffles)
    rows = []
    keys = ["method", "setting", "what", "statistics"]
    for (method, setting, what, statistics), each in losses.group_by(keys, maintain_order=True):
        before, after = (float(each[name].to_numpy().mean()) for name in ("before", "after"))
        shown = [method_label(str(method), str(setting)), str(what), str(statistics), number(before, 1)]
        rows.append([*shown, number(after, 1), _mean(each["lost"], level, 1), str(len(each))])
    note = (
        f"Accuracy (%) of validation images before and after two random layers of every stage, or edges of every cell, "
        f"change places; each search the mean over its draws. {_OVER_SEEDS} Statistics of batch-norm: running, as "
        "training left them; batch, which see the change."
    )
    header = ["network", "what is shuffled", "statistics", "before", "after", "lost", "seeds"]
    numeric = [False, False, False, True, True, True, True]
    title = "Layers and edges that change places"
    return [Table(f"{item.name}-shuffles", title, header, rows, losses, numeric, note)]


def _selections(item: InspectionItem, evidence: Evidence, level: float) -> list[Table]:
    if evidence.selections is None:
        return []
    ends = selection_ends(evidence.selections)
    rows = []
    for (method, setting), each in ends.group_by("method", "setting", maintain_order=True):
        label = method_label(str(method), str(setting))
        rows.append([label, _mean(each["start"], level, 1), _mean(each["end"], level, 1), str(len(each))])
    note = (
        f"Validation accuracy (%) of the supernet before an edge is decided, and after the last is. {_OVER_SEEDS} "
        "every: epochs in which it is tuned between two decisions. What decides edges while it searches begins with "
        "its first decision."
    )
    header = ["selection", "before", "after", "seeds"]
    title = "The supernet while edges are decided"
    return [Table(f"{item.name}-selections", title, header, rows, ends, [False, True, True, True], note)]


def _agreement(item: InspectionItem, evidence: Evidence, level: float) -> list[Table]:
    if evidence.estimates is None:
        return []
    found = skip_agreement(evidence.estimates)
    rows = []
    for (method, setting, epoch), each in found.group_by("method", "setting", "epoch", maintain_order=True):
        shown = [method_label(str(method), str(setting)), str(epoch), _mean(each["nearer"], level, 3)]
        rows.append([*shown, _mean(each["rho"], level, 2), _mean(each["gap"], level, 3), str(len(each))])
    note = (
        "Variance of the error of the other operations together, less that of the skip: above 0 where the skip is the "
        "better estimate of the feature map that the edges of a node share. Spearman's ρ of the skip's weight and the "
        f"one that leaves the least variance, over edges; and their mean difference. {_OVER_SEEDS}"
    )
    header = ["method", "epoch", "skip nearer", "ρ", "weight less optimum", "seeds"]
    title = "Proposition 1: is the skip weighed as a good estimate is?"
    return [Table(f"{item.name}-estimates", title, header, rows, found, [False, *[True] * 5], note)]


def _phases(item: InspectionItem, evidence: Evidence) -> list[Figure]:
    if evidence.selections is None:
        return []
    phases = selection_phases(evidence.selections)
    if phases.is_empty():
        return []
    draw = partial(plot_selected, phases, value="value", ylabel="accuracy of the supernet (%)")
    caption = "Accuracy of the supernet while edges are decided, by epoch from the first decision; band: over seeds."
    return [Figure(f"{item.name}-selection", caption, draw, phases)]


def _estimates(item: InspectionItem, evidence: Evidence) -> list[Figure]:
    if evidence.estimates is None:
        return []
    rows = evidence.estimates.filter(pl.col("quantity").is_in(["trained_skip", "predicted_skip"]))
    caption = "The skip's share of an edge, and the one of least variance (Proposition 1); a point for each edge."
    return [Figure(f"{item.name}-estimates", caption, partial(plot_estimates, rows), rows)]


def _surfaces(item: InspectionItem, sources: Sources) -> list[Figure]:
    """One plane for each epoch of the first seed of each method, on one scale for each method."""
    if item.landscapes is None:
        return []
    table = read_frame(sources.kept(item.landscapes))
    figures = []
    for (method, setting), rows in table.group_by("method", "setting", maintain_order=True):
        one = rows.filter(pl.col("seed") == pl.col("seed").min())
        low, high = (float(x) for x in (one["loss"].min(), one["loss"].max()))  # type: ignore[arg-type]
        for (epoch,), plane in one.group_by("epoch", maintain_order=True):
            who = method_label(str(method), str(setting))
            draw = partial(plot_loss_surface, plane, split="validation", vmin=low, vmax=high)
            caption = f"{who}, seed {plane['seed'][0]}, epoch {epoch}: loss over two curved directions in α."
            figures.append(Figure(_stem(f"{item.name}-landscape-{method}-{setting}-{epoch}"), caption, draw, plane))
    return figures


def _cells(item: InspectionItem, sources: Sources) -> list[Figure]:
    """The cells of each named method, at the first epoch that is kept and at its last."""
    if item.alphas is None:
        return []
    table = sources.frame(item.alphas, "ALPHAS")
    labels = {row_label(*row): row for row in table.select("method", "setting").unique(maintain_order=True).iter_rows()}
    figures = []
    for name in item.cells:
        if name not in labels:
            raise UnknownNameError("method of these alphas", name, list(labels))
        method, setting = labels[name]
        rows = table.filter(method=method, setting=setting)
        for cell in rows["cell"].unique(maintain_order=True):
            last = int(rows["epoch"].to_numpy().max())
            draw = partial(plot_relaxed_cell, rows, cell=cell)
            caption = (
                f"{method_label(method, setting)}, {cell} at epoch {last}: every candidate as wide as its weight, mean "
                "over seeds; the largest of an edge whole."
            )
            shown = rows.filter(cell=cell, epoch=last)
            figures.append(Figure(_stem(f"{item.name}-cell-{name}-{cell}"), caption, draw, shown))
    return figures


def _stem(text: str) -> str:
    return "-".join(word for word in "".join(c if c.isalnum() else "-" for c in text.lower()).split("-") if word)
