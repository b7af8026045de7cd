"""nasanalysis: how well does a cheap proxy rank neural architectures, and why?

The layers, bottom up: `spaces` (what an architecture is), `frames` (the tables handed from layer to
layer), `loaders` (benchmark files -> frames), `supernets` (live networks; torch), `proxies` (frames ->
scores), `stats` (scores x truth -> intervals), `plots`, `report`, `study`.

>>> import nasanalysis as na
>>> digits = na.load_benchmark("digits")
>>> scores = na.score(digits, ["params", "sotl"], step=6)
>>> table = na.correlate(digits.truth(split="test"), scores)
>>> table.columns[:5]
['benchmark', 'dataset', 'method', 'setting', 'proxy']

Importing the package loads neither torch nor matplotlib: the names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.frames import check, read_frame, read_provenance, write_frame
    from .loaders import Benchmark, load_benchmark
    from .plots import plot_correlation_by_step, plot_scatter, score_against_truth
    from .proxies import get_proxy, score
    from .spaces import Arch, get_space, parse_arch
    from .stats import correlate, difference_by_step, reliability_table
    from .studies.files import compare
    from .studies.study import Study

_PUBLIC = {
    "Arch": "spaces",
    "Benchmark": "loaders",
    "Study": "studies.study",
    "check": "core.frames",
    "compare": "studies.files",
    "correlate": "stats",
    "difference_by_step": "stats",
    "get_proxy": "proxies",
    "get_space": "spaces",
    "load_benchmark": "loaders",
    "parse_arch": "spaces",
    "plot_correlation_by_step": "plots",
    "plot_scatter": "plots",
    "read_frame": "core.frames",
    "read_provenance": "core.frames",
    "reliability_table": "stats",
    "score": "proxies",
    "score_against_truth": "plots",
    "write_frame": "core.frames",
}

__all__ = [
    "Arch",
    "Benchmark",
    "Study",
    "check",
    "compare",
    "correlate",
    "difference_by_step",
    "get_proxy",
    "get_space",
    "load_benchmark",
    "parse_arch",
    "plot_correlation_by_step",
    "plot_scatter",
    "read_frame",
    "read_provenance",
    "reliability_table",
    "score",
    "score_against_truth",
    "write_frame",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
