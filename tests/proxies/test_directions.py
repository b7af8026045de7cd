"""Which way a score points: every spelling, and where the answer comes from."""

from __future__ import annotations

import pytest

from nasanalysis.core.errors import ParameterError
from nasanalysis.proxies import direction, direction_of


@pytest.mark.parametrize(
    ("name", "sign", "source"),
    [
        ("sotl", -1, "ours"),
        ("sotl_e@5", -1, "ours"),
        ("tse", -1, "ours"),
        ("recorded:params", 1, "ours"),
        ("jacob_cov", 1, "ours"),
        ("valLoss", -1, "by name"),
        ("val-loss", -1, "by name"),
        ("VAL_LOSS", -1, "by name"),
        ("NLLLoss", -1, "by name"),
        ("testloss", -1, "by name"),
        ("rank", -1, "by name"),
        ("top1_err", -1, "by name"),
        ("arch_hessian_ev", -1, "by name"),
        ("edgegpu_latency", -1, "by name"),
        ("neg_loss", 1, "by name"),
        ("negLoss", 1, "by name"),
        ("-loss", 1, "by name"),
        ("minus_val_error", 1, "by name"),
        ("1-err", 1, "by name"),
        ("neg_sotl", 1, "by name"),
        ("-sotl_e@3", 1, "by name"),
        ("neg_synflow", -1, "by name"),
        ("supernetAccuracy", 1, "by name"),
        ("neg_accuracy", -1, "by name"),
        ("mystery", 1, "assumed"),
        ("val_loss+params", 1, "assumed"),
        ("lossless", 1, "assumed"),
    ],
)
def test_directions(name: str, sign: int, source: str) -> None:
    assert direction_of(name) == (sign, source)
    assert direction(name) == sign


def test_what_is_given_holds() -> None:
    assert direction_of("sotl", {"sotl": "higher"}) == (1, "given")
    assert direction_of("sotl", {"tse": 1}) == (1, "given")  # by another name of the field
    assert direction_of("mystery", {"mystery": -1}) == (-1, "given")
    assert direction_of("mystery", {"sotl": "higher"}) == (1, "assumed")


@pytest.mark.parametrize("given", ["up", 0, True, 2])
def test_a_direction_that_is_none(given: object) -> None:
    with pytest.raises(ParameterError, match=r"directions: 'mystery': expected 'higher' or 'lower' \(\+1 or -1\), got"):
        direction_of("mystery", {"mystery": given})  # type: ignore[dict-item]
