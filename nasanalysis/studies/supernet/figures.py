"""Figures of ``[[supernet]]`` items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from ... import plots, stats
from ...core.errors import UnknownNameError
from ...plots.style import legend_beside, new_axes, new_panels, statistic_label
from ...report.model import Figure
from ...stats.pairs import mean_accuracy
from .frames import ARM, ItemFrames, arms_of, resampled
from .items import SupernetFigure


def steps(run: ItemFrames, figure: SupernetFigure) -> Figure:
    """A statistic by minibatch; several arms are drawn on the architectures that all of them score."""
    arms = [arm for label in figure.arms for arm in run.item.arms if arm.label == label]
    scored = [p for p in figure.proxies if p != "params"]
    rows = run.scores.filter(pl.col("proxy").is_in(scored))
    parts = [run.of(rows, arm) for arm in arms]
    for part, arm in zip(parts, arms, strict=True):
        if lost := [p for p in scored if p not in part["proxy"]]:
            known = run.of(run.scores, arm)["proxy"].unique().sort()
            raise UnknownNameError(f"measure of {arm.protocol} in {arm.part}", lost[0], known)
    common = set.intersection(*(set(part["arch"]) for part in parts))
    truth = run.truth.filter(pl.col("arch").is_in(sorted(common)))
    lines = []
    for arm, part in zip(arms, parts, strict=True):
        for proxy in scored:
            chosen = part.filter(pl.col("proxy") == proxy, pl.col("arch").is_in(sorted(common)))
            one = run.seeded(truth, chosen, figure.statistic)
            lines.append(one.with_columns(proxy=pl.lit(arm.label if len(arms) > 1 else proxy)))
    spread = bool(lines[0]["ci_low"].is_null().all())
    if spread:
        lines = [
            one.with_columns(ci_low=pl.col("estimate") - pl.col("sd"), ci_high=pl.col("estimate") + pl.col("sd"))
            for one in lines
        ]
    frame = pl.concat(lines)
    if "params" in figure.proxies:
        costs = run.params.filter(pl.col("arch").is_in(sorted(common)))
        bar = stats.correlate(truth, costs, statistics=(figure.statistic,), n_boot=0)
        frame = pl.concat([frame, bar], how="diagonal")

    def draw() -> Any:
        ax = plots.plot_correlation_by_step(frame, figure.statistic, ax=new_axes(figsize=(8.2, 4.2)))
        legend_beside(ax)
        return ax

    said = f"95 % intervals over {resampled(frame['interval'])}"
    if spread:
        said = f"± one standard deviation over {run.item.words.many}" if frame["sd"].is_not_null().any() else ""
    subject = ", ".join(scored) if len(arms) > 1 else arms[0].label
    caption = figure.caption or f"{statistic_label(figure.statistic)} by minibatch: {subject}."
    return Figure(
        f"{run.item.name}-{figure.name}",
        f"{caption} {int(frame['n_archs'].to_numpy().max()):,} architectures{'; bands: ' if said else ''}{said}.",
        draw,
        frame,
    )


def losses(run: ItemFrames, figure: SupernetFigure) -> Figure:
    """Training losses of groups of architectures, a panel for each arm."""
    panels = []
    for label in figure.arms:
        arm = next(a for a in run.item.arms if a.label == label)
        rows = run.of(run.losses, arm).drop_nulls("train_loss").filter(pl.col("step") >= 1)
        if rows.is_empty():
            raise UnknownNameError("supernet of these losses", f"{arm.protocol} in {arm.part}", arms_of(run.losses))
        last = int(rows["step"].to_numpy().max())
        ends = ((pl.col("step") + figure.window - 1) // figure.window * figure.window).clip(upper_bound=last)
        keys = ["benchmark", "dataset", "arch", *ARM, "schedule", "seed", "unit"]
        rows = rows.with_columns(step=ends).group_by(*keys, "step").agg(pl.col("train_loss").mean())
        groups = plots.losses_by_group(rows, run.truth, groups=figure.groups)
        panels.append(groups.select(pl.lit(label).alias("supernet"), pl.all()))

    def draw() -> Any:
        axes = new_panels(len(panels))
        for ax, panel in zip(axes, panels, strict=True):
            what = "training loss" + (f", mean of {figure.window} minibatches" if figure.window > 1 else "")
            plots.plot_losses_by_group(panel, ax=ax, title=panel["supernet"][0], label=f"{what} (nats)")
            ax.label_outer()
            if ax is axes[-1]:
                legend_beside(ax)
            elif (legend := ax.get_legend()) is not None:
                legend.remove()
        return axes[0]

    caption = figure.caption or "Training loss during finetuning, architectures grouped by true accuracy."
    return Figure(
        f"{run.item.name}-{figure.name}",
        f"{caption} Means over {run.item.words.many}; bands: quartiles of the architectures of a group.",
        draw,
        pl.concat(panels),
    )


def curvature(run: ItemFrames, figure: SupernetFigure) -> Figure:
    """Loss under noise of architectures from the best to the worst, a panel for each arm."""
    truth = run.truth
    means = mean_accuracy(truth).filter(pl.col("accuracy") >= figure.above)
    order = means.sort("accuracy", "arch", descending=True)["arch"]
    panels = []
    for label in figure.arms:
        arm = next(a for a in run.item.arms if a.label == label)
        rows = run.of(run.perturbed, arm)
        there = set(rows["arch"])
        ranked = [arch for arch in order if arch in there]
        picked = [ranked[round(k)] for k in np.linspace(0, len(ranked) - 1, min(figure.archs, len(ranked)))]
        lines = plots.loss_curvature(rows.filter(pl.col("arch").is_in(picked)), truth)
        panels.append(lines.select(pl.lit(label).alias("supernet"), pl.all()))

    def draw() -> Any:
        axes = new_panels(len(panels))
        for ax, panel in zip(axes, panels, strict=True):
            plots.plot_loss_curvature(panel, ax=ax, title=panel["supernet"][0])
        return axes[0]

    return Figure(
        f"{run.item.name}-{figure.name}",
        figure.caption or "Validation loss under weight noise, from the best architecture to the worst.",
        draw,
        pl.concat(panels),
    )


#: Kind of a figure -> the function that makes it.
FIGURES: dict[str, Callable[[ItemFrames, SupernetFigure], Figure]] = {
    "steps": steps,
    "losses": losses,
    "curvature": curvature,
}
