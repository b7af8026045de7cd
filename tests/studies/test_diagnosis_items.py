"""``[[diagnosis]]``: numbers of hand-made searches, verdicts on both sides, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import MissingDataError, SearchError, StudyError, UnknownNameError
from nasanalysis.core.frames import check, write_frame
from nasanalysis.loaders.sources import Sources
from nasanalysis.search.diagnosed import along_the_search, at_the_end, skip_gaps, strength_agreement
from nasanalysis.stats.rank import spearman_rho
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.diagnosis.items import DiagnosisItem
from nasanalysis.studies.diagnosis.rules import RULES, Evidence
from nasanalysis.studies.diagnosis.section import diagnosis_section
from nasanalysis.studies.judged import PublishedClaim
from nasanalysis.studies.tables import eigenvalue_errors

HOW = {"benchmark": "live-nb201", "dataset": "digits", "setting": ""}


def trace() -> pl.DataFrame:
    """Two methods, three seeds, six epochs; the drop grows with the eigenvalue of `darts`, and falls with `calm`'s."""
    rows = []
    for seed in range(3):
        for method, sign, size in (("darts", 1, 2.0), ("calm", -1, 0.5)):
            for epoch in range(6):
                eigenvalue = size + 0.1 * epoch + 0.01 * seed
                numbers = {
                    "arch_hessian_ev": eigenvalue,
                    "discretisation_drop": sign * eigenvalue + 0.001 * (epoch == seed),
                    "supernet_valid_accuracy": 50.0 + epoch,
                    "skip_minus_conv": 0.01 * epoch,
                    "selected_skips": float(seed),
                }
                rows += [{**HOW, "method": method, "seed": seed, "epoch": epoch, "quantity": k, "value": v}
                         for k, v in numbers.items()]  # fmt: skip
    return pl.DataFrame(rows)


def strengths(worth: dict[str, float]) -> pl.DataFrame:
    """Of three seeds, two edges, the same weights: .5, .3, .2 and `none`, whose mask costs nothing."""
    weights = {"none": 0.9, "conv_a": 0.5, "conv_b": 0.3, "skip_connect": 0.2}
    rows = [
        {**HOW, "method": "darts", "seed": seed, "epoch": 5, "cell": "cell", "edge": edge, "operation": op,
         "weight": weight, "strength": {"none": 0.0, **worth}[op] + 0.1 * seed,
         "converged_accuracy": 50 - {"none": 0.0, **worth}[op]}
        for seed in range(3) for edge in ("0-1", "0-2") for op, weight in weights.items()
    ]  # fmt: skip
    return pl.DataFrame(rows)


RANKED = {"conv_a": 3.0, "conv_b": 2.0, "skip_connect": 1.0}


def item(folder: Path, **keys: Any) -> DiagnosisItem:
    write_frame(check(trace(), "TRACE"), folder / "trace.parquet")
    write_frame(check(strengths(RANKED), "STRENGTHS"), folder / "strengths.parquet")
    claims = [PublishedClaim(rule=rule, claim=rule, where="nowhere") for rule in RULES]
    given = {"strengths": str(folder / "strengths.parquet"), "control": "calm", "claims": claims} | keys
    return DiagnosisItem(name="mine", title="Mine", traces=(str(folder / "trace.parquet"),), **given)


def test_alpha_that_ranks_and_alpha_that_does_not() -> None:
    agrees = strength_agreement(strengths(RANKED))
    assert agrees["rho"].to_list() == [1.0, 1.0, 1.0]
    assert agrees["same"].to_list() == [1.0, 1.0, 1.0]
    assert agrees["edges"].to_list() == [2, 2, 2]
    turned = strength_agreement(strengths({"conv_a": 1.0, "conv_b": 2.0, "skip_connect": 3.0}))
    assert turned["rho"].to_list() == [-1.0, -1.0, -1.0]
    assert turned["same"].to_list() == [0.0, 0.0, 0.0]
    alike = strength_agreement(strengths(dict.fromkeys(RANKED, 1.0)))
    assert alike["rho"].null_count() == 3, "operations that are worth the same have no ranks"


def test_the_gap_of_skips_by_hand() -> None:
    rows = [
        {**HOW, "method": "darts", "seed": 0, "epoch": epoch, "cell": "cell", "edge": edge, "operation": op,
         "weight": weight}
        for epoch in (0, 1)
        for edge, ops in (("0-1", {"skip_connect": 0.4 + 0.2 * epoch, "nor_conv_3x3": 0.3, "nor_conv_1x1": 0.1}),
                          ("0-2", {"skip_connect": 0.1, "nor_conv_3x3": 0.5}), ("1-2", {"none": 1.0}))
        for op, weight in ops.items()
    ]  # fmt: skip
    gaps = skip_gaps(pl.DataFrame(rows))
    assert gaps.sort("epoch")["value"].to_list() == [pytest.approx((0.2 - 0.4) / 2), pytest.approx((0.4 - 0.4) / 2)]
    with pytest.raises(SearchError, match="expected edges with skip_connect and a convolution"):
        skip_gaps(pl.DataFrame(rows).filter(pl.col("operation") != "skip_connect"))


def test_numbers_along_and_at_the_end_of_searches() -> None:
    rows = along_the_search(trace(), "arch_hessian_ev", "discretisation_drop")
    assert rows.filter(method="darts")["rho"].to_list() == pytest.approx([1, 1, 1])
    assert rows.filter(method="calm")["rho"].to_list() == pytest.approx([-1, -1, -1])
    assert along_the_search(trace(), "arch_hessian_ev", "selected_skips")["rho"].null_count() == 6
    assert along_the_search(trace(), "arch_hessian_ev", "unread").is_empty()
    ends = at_the_end(trace(), "arch_hessian_ev", last=2).filter(method="darts", seed=0)
    assert ends["value"].item() == pytest.approx(2 + 0.1 * 4.5)


def test_growth_is_the_logarithm_of_the_end_over_the_beginning() -> None:
    """Of readings 2, 2.1, ... 2.5 the last five are 2.3 on average; turned round they fall from 2.5 to 2.2."""
    rule = RULES["eigenvalue rises"]
    parts = {part.label: part for part in rule(Evidence(trace(), None, None), 0.95)}
    assert parts["DARTS"].text.startswith("0.14 ")
    assert parts["calm"].verdict == parts["DARTS"].verdict == "holds"
    backwards = Evidence(trace().with_columns(epoch=5 - pl.col("epoch")), None, None)
    assert {part.verdict for part in rule(backwards, 0.95)} == {"does not hold"}


def test_growth_beside_that_of_a_control() -> None:
    """The control's eigenvalue begins at a quarter of the other's and gains as much: it grows more by its logarithm."""
    rule = RULES["eigenvalue grows more"]
    (part,) = rule(Evidence(trace(), None, "calm"), 0.95)
    assert part.label == "DARTS"
    assert part.verdict == "does not hold"
    assert rule(Evidence(trace(), None, "darts"), 0.95)[0].verdict == "holds"
    with pytest.raises(StudyError, match="expected control = one of"):
        rule(Evidence(trace(), None, "nobody"), 0.95)


def test_tables_verdicts_and_figures(tmp_path: Path) -> None:
    section = diagnosis_section(item(tmp_path), Sources(None), Resampling())
    numbers, decisions, claims = section.tables  # six epochs are too few for early stopping to read
    assert numbers.data.filter(method="darts", quantity="arch_hessian_ev")["mean"].item() == pytest.approx(2.31)
    told = {(row["quantity"], row["method"]): row["mean"] for row in decisions.data.to_dicts()}
    assert told["no_skips", "darts"] == pytest.approx(1 / 3), "of three seeds one selects no skip"
    assert told["growth", "darts"] == pytest.approx(0.14, abs=0.005)
    assert "convolutions" not in {quantity for quantity, _ in told}, "nothing was selected in these traces"
    verdicts = {(row["claim"], row["of"]): row["verdict"] for row in claims.data.to_dicts()}
    assert verdicts["drop follows eigenvalue", "DARTS"] == "holds"
    assert verdicts["drop follows eigenvalue", "calm"] == "does not hold"
    assert verdicts["eigenvalue above control", "DARTS"] == "holds"
    assert verdicts["eigenvalue rises", "calm"] == "holds"
    assert verdicts["masking", "DARTS"] == "holds"
    assert verdicts["convergence", "DARTS"] == "does not hold"
    assert "masking: holds." in section.answer
    assert any(sentence.startswith("drop follows eigenvalue: in part") for sentence in section.answer)
    names = [figure.name for figure in section.figures]
    assert {"mine-arch-hessian-ev", "mine-skips", "mine-drop", "mine-strength-darts"} <= set(names)
    for figure in section.figures:
        assert figure.draw().has_data(), figure.name


def test_early_stopping_is_read_off_kept_eigenvalues(tmp_path: Path) -> None:
    """One search whose eigenvalue grows by a half every eight epochs, and one whose eigenvalue stays."""
    rows = []
    for method, growth in (("darts", 1.5), ("calm", 1.0)):
        for epoch in range(0, 41, 2):
            numbers = {"arch_hessian_ev": growth ** (epoch / 8), "selected_skips": float(epoch)}
            rows += [{**HOW, "method": method, "seed": 0, "epoch": epoch, "quantity": k, "value": v}
                     for k, v in numbers.items()]  # fmt: skip
        rows += [{**HOW, "method": method, "seed": 0, "epoch": e, "part": str(i), "value": float(i - 1),
                  "quantity": "arch_hessian_spectrum"} for e in (0, 40) for i in range(3)]  # fmt: skip
    write_frame(check(pl.DataFrame(rows, infer_schema_length=None), "TRACE"), tmp_path / "long.parquet")
    one = DiagnosisItem(name="mine", title="Mine", traces=(str(tmp_path / "long.parquet"),))
    section = diagnosis_section(one, Sources(None), Resampling())
    stops = next(table for table in section.tables if table.name == "mine-stops")
    by_method = {row["method"]: row for row in stops.data.to_dicts()}
    # A(e) belongs to e; A(e) / A(e - 8) is 1.5 at once: the first e with e - 8 >= 10, at the end of its window
    assert by_method["darts"]["return_epoch"] == 10
    assert by_method["darts"]["stop_epoch"] == 10 + 8 + 4
    assert by_method["darts"]["ratio"] == pytest.approx(1.5)
    assert (by_method["darts"]["skips_returned"], by_method["darts"]["skips_at_end"]) == (10, 40)
    assert by_method["calm"]["stop_epoch"] is None
    drawn = {figure.name: figure for figure in section.figures}
    assert {"mine-stops", "mine-spectrum-darts", "mine-spectrum-calm"} <= set(drawn)
    assert drawn["mine-stops"].draw().has_data()


def test_what_is_refused(tmp_path: Path) -> None:
    for keys, error, message in (
        ({"control": "calmer"}, StudyError, "expected control = one of calm, darts .* got 'calmer'"),
        ({"strengths": None}, StudyError, "expected strengths = FILE"),
        ({"claims": [PublishedClaim(rule="maskng", claim="c", where="w")]}, UnknownNameError, "Did you mean 'masking'"),
        ({"strengths": "no_such.parquet"}, MissingDataError, "no_such.parquet"),
    ):
        with pytest.raises(error, match=message):
            diagnosis_section(item(tmp_path, **keys), Sources(None), Resampling())


def test_eigenvalue_and_error_over_and_within_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over settings they fall together, within each they rise together: no table may mix the two up."""
    rows = [
        ("s1, cifar10", f"0.0_{k}", seed, 1.0 - 0.1 * k + 0.01 * seed, 10.0 + 5 * k + 0.1 * seed)
        for k in range(6) for seed in range(5)
    ]  # fmt: skip
    columns = ["searched", "setting", "seed", "eigenvalue", "error"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    monkeypatch.setattr(eigenvalue_errors, "logged", lambda sources: frame)
    table = eigenvalue_errors.eigenvalue_errors(Sources(None), Resampling(n=200), {})
    verdicts = {row[1]: row[-1] for row in table.rows}
    assert verdicts["all searches"] == verdicts["means of settings"] == "against error"
    assert verdicts["within settings, all together"] == verdicts["within 0.0_3"] == "goes with error"
    whole = table.data.filter(over="all searches")["spearman"].item()
    assert whole == pytest.approx(spearman_rho(frame["eigenvalue"].to_numpy(), frame["error"].to_numpy()))
    within = table.data.filter(over="within 0.0_3")
    assert np.isclose(within["spearman"].item(), 1)
    monkeypatch.setattr(eigenvalue_errors, "logged", lambda sources: frame.head(3))
    with pytest.raises(MissingDataError, match="expected at least 4 searches with Hessians and errors, got 3"):
        eigenvalue_errors.eigenvalue_errors(Sources(None), Resampling(n=200), {})
