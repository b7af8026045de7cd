"""``[[predictor]]`` items show what `predictor_curve` answers, or say what they lack."""

from __future__ import annotations

import pytest

from nasanalysis.core.errors import MissingExtraError, NasAnalysisError
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.predictor.items import PredictorItem
from nasanalysis.studies.study import Study

ITEM = {
    "name": "learned",
    "title": "Learned",
    "benchmark": "digits",
    "sample": "uniform-live",
    "proxies": ("params", "sotl"),
    "step": 1,
    "k": (10, 20),
    "draws": 2,
}


def test_a_row_for_each_set_and_k() -> None:
    pytest.importorskip("sklearn")
    section = PredictorItem.model_validate(ITEM).section(Sources(None), Resampling(0))
    table = section.tables[0]
    assert [row[:2] for row in table.rows] == [
        [name, k]
        for name in ("learned on both", "learned on the graph", "parameters", "learned on proxies")
        for k in ("10", "20")
    ]
    both = table.data.filter(features="both", part="all", k=20).row(0, named=True)
    assert table.rows[1][2].startswith(f"{both['estimate']:.3f} [")
    panels = section.figures[0].draw().get_figure().axes  # type: ignore[union-attr]
    assert [ax.get_title(loc="left") for ax in panels] == ["whole ranking", "best tenth"]
    assert [line.get_linestyle() for line in panels[0].lines].count("--") == 1


def test_without_the_extra_the_item_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise MissingExtraError("scikit-learn", "predict", "predictor_curve")

    monkeypatch.setattr("nasanalysis.stats.predictor_curve", lacking)
    study = Study(name="s", title="S", items=(PredictorItem.model_validate(ITEM),), bootstrap=0)
    result = study.run()
    assert result.sections == ()
    assert "predict" in result.skipped[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alone": ("flops",)}, "alone: 'flops' is not among the proxies"),
        ({"draws": 1}, "draws"),
        ({"dataset": "cifar10"}, "cifar10"),
        ({"k": (100_000,)}, "k: expected whole numbers from 2 to"),
        ({"regressor": "oracle"}, "oracle"),
    ],
)
def test_malformed(changes: dict[str, object], message: str) -> None:
    pytest.importorskip("sklearn")
    with pytest.raises((NasAnalysisError, ValueError), match=message):
        PredictorItem.model_validate({**ITEM, **changes}).section(Sources(None), Resampling(0))
