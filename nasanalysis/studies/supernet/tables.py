"""Tables of supernets: one statistic with what stands beside it, and the supernets themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ...core.frames import read_frame
from ...plots.style import statistic_label
from ...report.model import Mark, Table
from ...report.tables import emphasis, number, with_interval, with_spread
from .items import Arm

#: Statistic of a study file -> the one that is computed with the parameter count in place of the accuracy.
WITH_PARAMS = {"spearman_with@params": "spearman_rho", "kendall_with@params": "kendall_tau"}


@dataclass(frozen=True)
class Column:
    """One statistic of all readings and arms, with what stands beside it; keys are (measure, arm), labels."""

    statistic: str
    own: dict[tuple[str, str], dict[str, Any]]
    second: dict[tuple[str, str], dict[str, Any]]
    gaps: dict[tuple[str, str], dict[str, Any]]
    printed: dict[tuple[str, str], tuple[str, str]]
    second_truth: str | None

    @property
    def digits(self) -> int:
        return 2 if self.statistic.startswith("topk_mean") else 3

    def marks(self) -> dict[tuple[str, str], Mark]:
        """The best, second and ties among the measures of each arm, by interval or, without one, by spread."""
        found: dict[tuple[str, str], Mark] = {}
        if self.statistic in WITH_PARAMS:  # neither high nor low is better
            return found
        for arm in dict.fromkeys(arm for _, arm in self.own if arm):
            keys = [key for key in self.own if key[1] == arm]
            rows = [self.own[key] for key in keys]
            lows = [_first(row["ci_low"], row["estimate"], row["sd"], -1) for row in rows]
            highs = [_first(row["ci_high"], row["estimate"], row["sd"], 1) for row in rows]
            found |= dict(zip(keys, emphasis([row["estimate"] for row in rows], lows, highs), strict=True))
        return found

    def shown(self, lines: Sequence[tuple[str, int | None, Arm | None]]) -> Iterator[tuple[str, list[str], list[Mark]]]:
        keys = [(label, arm.label if arm else "") for label, _, arm in lines]
        marks, plain = self.marks(), [Mark.NONE] * len(lines)
        head = statistic_label(self.statistic)
        yield head, [_cell(self.own[key], self.digits) for key in keys], [marks.get(key, Mark.NONE) for key in keys]
        if self.printed:
            yield "published", [self.printed.get(key, ("–", ""))[0] for key in keys], plain
        if self.second_truth:
            texts = [with_spread(self.second[k]["estimate"], self.second[k].get("sd"), self.digits) for k in keys]
            yield f"with {self.second_truth}", texts, plain
        if self.gaps:
            yield "Δ parameters", [_gap(self.gaps.get(key), self.digits) for key in keys], plain

    def record(self, lines: Sequence[tuple[str, int | None, Arm | None]]) -> Iterator[dict[str, Any]]:
        marks = self.marks()
        for label, step, arm in lines:
            key = (label, arm.label if arm else "")
            row, second, gap = self.own[key], self.second.get(key, {}), self.gaps.get(key, {})
            printed, where = self.printed.get(key, (None, None))
            value, _, deviation = (printed or "").partition(" (")
            yield {
                "measure": label,
                "proxy": row.get("proxy"),
                "step": step,
                "supernet": arm.label if arm else None,
                "method": arm.protocol if arm else None,
                "setting": arm.part if arm else None,
                "statistic": self.statistic,
                **{
                    name: row.get(name) for name in ("estimate", "sd", "n_score_seeds", "ci_low", "ci_high", "interval")
                },
                "n_archs": row["n_archs"],
                "n_missing": row["n_missing"],
                "published": float(value) if value else None,
                "published_sd": float(deviation.rstrip(")")) if deviation else None,
                "published_in": where,
                "second_truth": second.get("estimate"),
                "second_truth_sd": second.get("sd"),
                "minus_params": gap.get("difference"),
                "minus_params_low": gap.get("ci_low"),
                "minus_params_high": gap.get("ci_high"),
                "mark": marks.get(key, Mark.NONE).words,
            }


def training_table(name: str, paths: Sequence[Path]) -> Table:
    """The supernets of TRACE files as they stood after the last epoch: means over seeds, minutes of one."""
    trace = pl.concat([read_frame(path, "TRACE") for path in paths]).drop_nulls("value")
    runs = ["benchmark", "dataset", "method", "seed"]
    wide = trace.pivot(on="quantity", index=[*runs, "epoch"], values="value", aggregate_function="first")
    for column in ("train_loss", "train_accuracy", "images_seen", "updates", "seconds"):
        if column not in wide.columns:
            wide = wide.with_columns(pl.lit(None, pl.Float64).alias(column))
    last = wide.sort("epoch").group_by(runs, maintain_order=True).agg(
        pl.col("epoch").last(),
        pl.col("train_loss", "train_accuracy", "images_seen", "updates").last(),
        minutes=pl.when(pl.col("seconds").is_null().any()).then(None).otherwise(pl.col("seconds").sum() / 60),
    )  # fmt: skip
    order = trace.select("method").unique(maintain_order=True)["method"].to_list()
    table = (
        last.group_by("benchmark", "dataset", "method", maintain_order=True)
        .agg(
            pl.len().alias("supernets"),
            pl.col("epoch").max().alias("epochs"),
            pl.col("updates", "images_seen").mean(),
            pl.col("train_loss", "train_accuracy").mean(),
            pl.col("train_loss").std().alias("loss_sd"),
            pl.col("train_accuracy").std().alias("accuracy_sd"),
            pl.col("minutes").mean(),
        )
        .sort(pl.col("method").replace_strict({m: k for k, m in enumerate(order)}, return_dtype=pl.Int64))
    )
    several = table["benchmark"].n_unique() > 1
    rows = [
        [
            *([r["benchmark"]] if several else []),
            r["method"],
            str(r["supernets"]),
            str(r["epochs"]),
            whole(r["updates"]),
            whole(r["images_seen"]),
            with_spread(r["train_loss"], r["loss_sd"], 3),
            with_spread(r["train_accuracy"], r["accuracy_sd"], 1),
            number(r["minutes"], 1),
        ]
        for r in table.to_dicts()
    ]
    header = [
        *(["space"] if several else []), "protocol", "supernets", "epochs", "updates", "images seen",
        "training loss (nats)", "training accuracy (%)", "minutes each",
    ]  # fmt: skip
    return Table(
        f"{name}-training",
        "The supernets",
        header,
        rows,
        table,
        [False] * (1 + several) + [True] * 7,
        "Loss and accuracy are means over the last epoch and its sampled architectures, ± the standard deviation over "
        "supernets. Images seen: forward and backward, one architecture each.",
    )


def _cell(row: dict[str, Any], digits: int) -> str:
    """``0.780 ± 0.060 [0.70, 0.84]``."""
    text = with_spread(row["estimate"], row.get("sd"), digits)
    ends = with_interval(row["estimate"], row.get("ci_low"), row.get("ci_high"), digits)
    _, bracket, interval = ends.partition(" [")
    return text + bracket + interval


def _gap(row: dict[str, Any] | None, digits: int) -> str:
    if row is None or row["difference"] is None:
        return "–"
    if row["ci_low"] is None:
        return f"{row['difference']:+.{digits}f}"
    return f"{row['difference']:+.{digits}f} [{row['ci_low']:+.{digits}f}, {row['ci_high']:+.{digits}f}]"


def _first(end: float | None, estimate: float | None, sd: float | None, sign: int) -> float | None:
    """The end of an interval, or else of the spread."""
    if end is not None or estimate is None or sd is None:
        return end
    return estimate + sign * sd


def whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
