"""What is wrong with the steps of curves, in words: a sum that ends at a gap would pass for one of fewer steps."""

from __future__ import annotations

import polars as pl

_RUN = ("dataset", "arch", "method", "setting", "schedule", "seed", "unit")


def undefined_at_the_end(curves: pl.DataFrame, scores: pl.DataFrame, column: str) -> str | None:
    """Why no run has a score after the last step at which `column` is recorded; None where one has, or nothing is."""
    last = curves.drop_nulls(column)["step"].max()
    if last is None or scores.filter(pl.col("step") == last)["value"].is_not_null().any():
        return None
    return missing_steps(curves, column)


def missing_steps(curves: pl.DataFrame, column: str) -> str | None:
    """Why a sum over steps of `column` is undefined in every run though the column holds values; None if it does not.

    The runs skip steps, or are shorter than the window.
    """
    recorded = curves.filter(pl.col("step") >= 1).drop_nulls(column)
    if recorded.is_empty():
        return None
    runs = recorded.group_by(*_RUN, maintain_order=True).agg(pl.col("step").sort())
    arch, steps = runs.select("arch", "step").row(0)
    lost = sorted(set(range(1, steps[-1] + 1)) - set(steps))
    unit = "epochs" if recorded["unit"][0] == "epoch" else "minibatches"
    if not lost:
        return f"its runs hold at most {max(recorded['step'])} {unit}: fewer than the window; choose a smaller one"
    shown = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
    return (
        f"steps are missing, not losses: {arch} has {len(steps)} of its {unit} 1 to {steps[-1]} and lacks {shown}; a "
        "sum over steps needs every one. Use a proxy of single steps (train_loss, val_acc), or curves without gaps"
    )
