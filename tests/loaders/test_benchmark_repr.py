"""What a person sees of a benchmark: a few lines, and nothing is read for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.core.errors import MissingDataError
from nasanalysis.loaders import BENCHMARKS, Benchmark, load_benchmark


def test_of_a_benchmark_that_cannot_be_read() -> None:
    def never() -> object:
        raise AssertionError("read for a repr")

    shown = repr(Benchmark("mine", "nb201", ("a", "b"), (Path("x"),), {"TRUTH": never}))  # type: ignore[dict-item]
    assert shown == "<Benchmark mine over the space nb201\n  datasets: a, b\n  frames: TRUTH; 1 input>"
    assert repr(Benchmark("mine", "nb201", ())).endswith("frames: none; 0 inputs>")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_of_every_benchmark_that_is_here(name: str, data_dir: Path) -> None:
    try:
        shown = repr(load_benchmark(name, data_dir))
    except MissingDataError:
        pytest.skip(f"{name} is not on this machine")
    assert len(shown.splitlines()) == 3
    assert len(shown) < 400
    assert name in shown
