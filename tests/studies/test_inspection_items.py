"""``[[inspection]]``: numbers of hand-made searches, verdicts on both sides, figures, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.frames import check, write_frame
from nasanalysis.loaders.sources import Sources
from nasanalysis.search.inspected import (
    selection_ends,
    selection_phases,
    shuffle_losses,
    skip_agreement,
    tuned_between,
)
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.inspection.items import InspectionItem
from nasanalysis.studies.inspection.rules import RULES
from nasanalysis.studies.inspection.section import inspection_section
from nasanalysis.studies.judged import PublishedClaim

HOW = {"benchmark": "live-nb201", "dataset": "digits", "setting": ""}


def traced(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return check(pl.DataFrame([{**HOW, **row} for row in rows], infer_schema_length=None), "TRACE")


def estimates(sign: int = 1) -> pl.DataFrame:
    """Three edges whose skips are weighed in the order of their optimum (or against it), the skip the nearer."""
    rows = []
    for seed in range(3):
        for i, optimum in enumerate((0.5, 0.6, 0.7)):
            numbers = {"predicted_skip": optimum + 0.01 * seed, "trained_skip": 0.4 + 0.1 * sign * i,
                       "conv_variance": 1.0 + 0.1 * seed, "skip_variance": 0.5}  # fmt: skip
            rows += [{"method": "darts", "seed": seed, "epoch": 10, "part": f"0/cell/{i}", "quantity": k, "value": v}
                     for k, v in numbers.items()]  # fmt: skip
    return traced(rows)


def shuffles() -> pl.DataFrame:
    """A supernet that loses a point or so, a VGG that loses forty."""
    rows = []
    for seed in range(3):
        for method, what, lost in (("darts", "edges with alpha", 1.0), ("vgg", "layers", 40.0)):
            for statistics in ("running", "batch"):
                head = {"method": method, "seed": seed, "epoch": 0}
                rows.append({**head, "quantity": f"accuracy ({statistics})", "value": 90.0})
                rows += [{**head, "part": str(d), "quantity": f"{what} ({statistics})", "value": 90 - lost - d + 0.5
                          + 0.1 * seed} for d in (0, 1)]  # fmt: skip
    return traced(rows)


def selections() -> pl.DataFrame:
    """Searches of four epochs and two decisions; magnitude loses more, tuning wins something back."""
    rows = []
    settings = [("darts_pt", "", 1.0), ("darts_pt_mag", "", 5.0), ("darts_pt", "every=0, from epoch 4", 9.0)]
    settings += [("darts_pt", f"every={e}, from epoch 4", 6.0 - e) for e in (1, 5)]
    for seed in range(3):
        for method, setting, lost in settings:
            for epoch, decided in enumerate((0, 0, 1, 2)):
                numbers = {"decided": float(decided), "supernet_valid_accuracy": 80.0 + seed - lost * (decided / 2)}
                rows += [{"method": method, "setting": setting, "seed": seed, "epoch": epoch, "quantity": k, "value": v}
                         for k, v in numbers.items()]  # fmt: skip
    return traced(rows)


def alphas() -> pl.DataFrame:
    rows = [
        {**HOW, "method": "darts", "seed": 0, "epoch": epoch, "cell": "cell", "edge": f"{s}-{t}", "operation": op,
         "weight": w, "mask": True}
        for epoch in (0, 10) for t in (1, 2) for s in range(t)
        for op, w in (("none", 0.2), ("skip_connect", 0.5), ("nor_conv_3x3", 0.3))
    ]  # fmt: skip
    return check(pl.DataFrame(rows), "ALPHAS")


def item(folder: Path, **keys: Any) -> InspectionItem:
    for name, frame in (("e", estimates()), ("s", shuffles()), ("p", selections()), ("a", alphas())):
        write_frame(frame, folder / f"{name}.parquet")
    plane = [(a, b, 1.0 + a * a + 2 * b * b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]
    planes = pl.concat(
        pl.DataFrame(plane, schema=["alpha", "beta", "loss"], orient="row").with_columns(
            **{k: pl.lit(v) for k, v in {**HOW, "method": "darts", "seed": 0, "epoch": epoch}.items()}
        )
        for epoch in (50, 100)
    )
    write_frame(planes, folder / "l.parquet")
    given: dict[str, Any] = {
        "estimates": (str(folder / "e.parquet"),),
        "shuffles": (str(folder / "s.parquet"),),
        "selections": (str(folder / "p.parquet"),),
        "alphas": str(folder / "a.parquet"),
        "landscapes": str(folder / "l.parquet"),
        "cells": ("darts",),
        "claims": [PublishedClaim(rule=rule, claim=rule, where="nowhere") for rule in RULES],
    }
    return InspectionItem(name="mine", title="Mine", **{**given, **keys})


def test_numbers_by_hand() -> None:
    found = skip_agreement(estimates())
    assert found["rho"].to_list() == pytest.approx([1, 1, 1])
    assert found["nearer"].to_list() == pytest.approx([0.5, 0.6, 0.7])
    assert found["gap"].to_list() == pytest.approx([-0.1, -0.11, -0.12])
    assert skip_agreement(estimates(-1))["rho"].to_list() == pytest.approx([-1, -1, -1])
    assert skip_agreement(shuffles()).is_empty()
    losses = shuffle_losses(shuffles()).filter(statistics="running")
    assert losses.filter(method="vgg")["lost"].to_list() == pytest.approx([40.0, 39.9, 39.8])
    assert losses.filter(method="darts", seed=0).select("before", "after").row(0) == pytest.approx((90, 89))
    phases = selection_phases(selections()).filter(method="darts_pt_mag", seed=0)
    assert phases["epoch"].to_list() == [0, 1, 2], "from the epoch before the first decision"
    assert phases["value"].to_list() == [80.0, 77.5, 75.0]
    ends = selection_ends(selections()).filter(method="darts_pt_mag", seed=2)
    assert ends.select("start", "end").row(0) == (82.0, 77.0)
    assert selection_phases(estimates()).is_empty()
    assert [tuned_between(s) for s in ("every=5, from epoch 100", "T=10, every=0", "", "every=x")] == [5, 0, None, None]


def test_tables_verdicts_and_figures(tmp_path: Path) -> None:
    section = inspection_section(item(tmp_path), Sources(None), Resampling())
    names = [table.name for table in section.tables]
    assert names == ["mine-shuffles", "mine-selections", "mine-estimates", "mine-claims"]
    verdicts = {row["claim"]: row["verdict"] for row in section.tables[-1].data.to_dicts()}
    assert verdicts == dict.fromkeys(RULES, "holds") | {"tuning gains little": "does not hold"}
    ours = {row["claim"]: row["ours"] for row in section.tables[-1].data.to_dicts()}
    assert ours["above magnitude"].startswith("4.0")
    assert ours["tuning helps"].startswith("4.0")
    assert ours["tuning gains little"].startswith("4.0")
    assert ours["tuning gains little"].endswith("searches gain")
    drawn = {figure.name: figure for figure in section.figures}
    assert {"mine-selection", "mine-estimates", "mine-landscape-darts-50", "mine-cell-darts-cell"} <= set(drawn)
    for figure in section.figures:
        axes = figure.draw()
        assert axes.has_data() or axes.patches, figure.name
    write_frame(estimates(-1), tmp_path / "turned.parquet")
    claims = [PublishedClaim(rule="skips follow proposition 1", claim="c", where="w")]
    turned = item(tmp_path, estimates=(str(tmp_path / "turned.parquet"),), claims=claims)
    assert inspection_section(turned, Sources(None), Resampling()).answer == ("c: does not hold.",)


def test_what_is_refused(tmp_path: Path) -> None:
    for keys, error, message in (
        ({"estimates": ()}, StudyError, r"expected estimates = \[FILE\] for this rule"),
        ({"cells": ("dart",)}, UnknownNameError, "Did you mean 'darts'"),
        ({"claims": [PublishedClaim(rule="nearer", claim="c", where="w")]}, UnknownNameError, "rule of an inspection"),
        ({"selections": (str(tmp_path / "e.parquet"),)}, StudyError, "expected selections"),
    ):
        with pytest.raises(error, match=message):
            inspection_section(item(tmp_path, **keys), Sources(None), Resampling())
    with pytest.raises(ValidationError, match="expected at least one of estimates"):
        InspectionItem(name="mine", title="Mine")
    with pytest.raises(ValidationError, match="neither without the other"):
        item(tmp_path, cells=())
